-- Tables of the stand-in for payments, besides the kit's: one row per item that is open or was.
create table if not exists item (key text primary key, partition smallint not null, body bytea not null);
