-- The kit's own tables, the same in every service's database. Applied idempotently at start.

create table if not exists installation (key text primary key, value text not null);

-- The scripts that were applied last, as a digest, and the shape of what they made (database.py): as long as both are the
-- same, a start leaves the tables alone.
create table if not exists schema_applied (scripts text not null, shape text not null);

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

-- Where the partition's topics were last searched for messages of its own that the journal does not have (ahead.py).
alter table progress add column if not exists searched text not null default '';

-- What was taken in from the topics after a restore: ids of inputs whose facts were, which are passed over when they come again,
-- and ids of commands that were sent without a fact, which are not sent again when their cause is decided again.
create table if not exists handled (
    partition smallint not null,
    id text not null,
    ordinal bigint not null,
    primary key (partition, id)
);

-- What was read from each topic: the next offset, and per writer the last sequence taken (seen), with the id it had and
-- a checksum over the ids of all up to it (marks: writer → [id, checksum or null where it is not known]; under '' the very last
-- record before the next offset, which proves that the topic is still the one that was read).
create table if not exists reading (
    partition smallint not null,
    topic text not null,
    next_offset bigint not null,
    seen jsonb not null,
    primary key (partition, topic)
);
alter table reading add column if not exists marks jsonb not null default '{}';

-- Every message this service said, in the order of its single writer. It is the outbox as well: lane '' is the own
-- facts topic, any other lane is '<topic>/<target partition>'. body is exactly what is published.
--
-- It rolls by ranges of sequence, which ranges.py makes ahead; there is no default range that would collect in silence.
-- A plain table of an earlier release becomes the first range, with room for a release that does not make any.
do $$
declare
    above bigint;
begin
    if (select relkind from pg_class where oid = to_regclass('journal')) = 'r' then
        lock table journal in access exclusive mode;
        alter table journal rename to journal_first;
        alter index journal_pkey rename to journal_first_pkey;
        create table journal (like journal_first) partition by range (sequence);
        alter table journal add primary key (partition, lane, sequence);
        select (coalesce(max(sequence), 0) / 1000000 + 2) * 1000000 + 1 into above from journal_first;
        execute format('alter table journal attach partition journal_first for values from (minvalue) to (%s)', above);
    elsif to_regclass('journal') is null then
        create table journal (
            partition smallint not null,
            lane text not null,
            sequence bigint not null,
            ordinal bigint not null,
            at timestamptz not null,
            home text not null,
            input text not null,
            body bytea not null,
            primary key (partition, lane, sequence)
        ) partition by range (sequence);
        create table journal_first partition of journal for values from (minvalue) to (1000001);
    end if;
end $$;

-- What was taken out of the journal (archive.py): the file that holds it, and per "<partition> <lane>" the last sequence in it.
create table if not exists archived (
    number integer primary key,
    file text not null,
    sha256 text not null,
    before bigint not null,
    "rows" bigint not null,
    lanes jsonb not null,
    attached boolean not null default false,
    at timestamptz not null default now()
);

-- The rows as they follow from all own facts up to a sequence: where a fold begins when what was before it is archived.
create table if not exists snapshot (partition smallint primary key, sequence bigint not null, at timestamptz not null default now());
create table if not exists snapshot_row (
    partition smallint not null,
    name text not null,
    key text not null,
    body bytea not null,
    primary key (partition, name, key)
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
create index if not exists quarantine_waiting on quarantine (partition) where status = 'waiting';

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
