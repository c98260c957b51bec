-- The order desk's read tables. Each row is a cache of the fold of the journal; body is the whole row, a column is there
-- only for a query. Applied idempotently at start.
--
-- Bodies and not the totals' tables change most: room is left on their pages, so that an update stays on its page and
-- touches no index. Of orders only the three columns that its two indexes need are indexed, and only while they are set.

create table if not exists standings (
    key text primary key,
    partition smallint not null,
    body bytea not null
);

create table if not exists positions (
    key text primary key,
    partition smallint not null,
    body bytea not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

create table if not exists ageings (
    key text primary key,
    partition smallint not null,
    body bytea not null
) with (fillfactor = 70);

create table if not exists forwards (
    key text primary key,
    partition smallint not null,
    body bytea not null
) with (fillfactor = 70);

create table if not exists policies (
    key text primary key,
    partition smallint not null,
    body bytea not null
);

-- lapses_on is set while the order reserves credit; queue_* while it waits at the desk.
create table if not exists orders (
    key text primary key,
    partition smallint not null,
    account text not null,
    lapses_on date,
    queue_home text,
    queue_rank bigint,
    queue_turn bigint,
    body bytea not null
) with (fillfactor = 90);

-- Orders that lapse, day by day, and what one account still has on reserve (store.lapsing_after, store.reserving_after).
-- New entries come at the end of the index: at the day that is the last one now.
create index if not exists orders_reserving on orders (partition, lapses_on, account) where lapses_on is not null;

-- The desk's queue of a group (store.waiting_after, store.groups_waiting_after).
create index if not exists orders_queue on orders (queue_home, queue_rank, queue_turn) where queue_home is not null;
