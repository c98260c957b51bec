-- The credit master, one row an account; and people, with who covers them: the fold of this service's own journal. Applied idempotently at start.

create table if not exists account (
    key text primary key,
    partition smallint not null,
    body bytea not null
);
create table if not exists person (
    key text primary key,
    partition smallint not null,
    body bytea not null
);
create index if not exists person_of_partition on person (partition);
create index if not exists account_of_partition on account (partition);
