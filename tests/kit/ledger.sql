create table if not exists account (key text primary key, partition smallint not null, balance bigint not null, body bytea not null);
create table if not exists orders (
    key text primary key,
    partition smallint not null,
    home text not null,
    amount bigint not null check (amount <> 13),
    body bytea not null
);
create index if not exists orders_of_home on orders (home, key);
