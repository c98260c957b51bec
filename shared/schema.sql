-- The kit's own tables, the same in every service's database. Applied idempotently at start.

create table if not exists installation (key text primary key, value text not null);

create table if not exists instance (id text primary key, seen_at timestamptz not null);

-- One row a partition: who writes it (holder), under which epoch, until when. It is both the assignment and the fence.
-- deaths counts holders that vanished at the same ordinal: after three, each message is named (attempt) before it is tried.
create table if not exists lease (
    partition smallint primary key,
    holder text,
    epoch bigint not null default 0,
    until timestamptz not null default '-infinity',
    deaths integer not null default 0,
    died_at bigint not null default -1,
    attempt text not null default ''
);

-- How far a partition's single writer has come; written in the transaction of every batch.
create table if not exists progress (
    partition smallint primary key,
    ordinal bigint not null default 0,
    clock timestamptz not null default 'epoch'
);

-- What was read from each topic: the next offset, and per writer the last sequence taken.
create table if not exists reading (
    partition smallint not null,
    topic text not null,
    next_offset bigint not null,
    seen jsonb not null,
    primary key (partition, topic)
);

-- Every message this service said, in the order of its single writer. It is the outbox as well: lane '' is the own
-- facts topic, any other lane is '<topic>/<target partition>'. body is exactly what is published.
create table if not exists journal (
    partition smallint not null,
    lane text not null,
    sequence bigint not null,
    ordinal bigint not null,
    at timestamptz not null,
    home text not null,
    input text not null,
    body bytea not null,
    primary key (partition, lane, sequence)
);

create table if not exists timer (
    partition smallint not null,
    kind text not null,
    key text not null,
    due timestamptz not null,
    home text not null,
    cursor text not null,
    primary key (partition, kind, key)
);
create index if not exists timer_due on timer (partition, due, kind, key);

create table if not exists mailbox (
    n bigint generated always as identity primary key,
    partition smallint not null,
    body bytea not null
);

create table if not exists quarantine (
    id text primary key,
    partition smallint not null,
    topic text not null,
    "offset" bigint not null,
    source text not null,
    sequence bigint,
    reason text not null,
    body bytea not null,
    at timestamptz not null default now(),
    status text not null default 'waiting'
);

-- A credit group whose message could not be handled: its later messages and timers queue behind it, in order.
create table if not exists parked_home (
    home text primary key,
    partition smallint not null,
    reason text not null,
    since timestamptz not null default now(),
    replay boolean not null default false
);
create table if not exists parked (
    n bigint generated always as identity primary key,
    partition smallint not null,
    home text not null,
    topic text not null,
    message_id text not null,
    type text not null,
    reason text not null,
    body bytea not null
);
create index if not exists parked_of_home on parked (home, n);
