-- The gateway's own tables, besides the kit's. Applied idempotently at start.

-- Who may send what. The token itself is never stored, only its SHA-256; it is random, so a slow hash would add nothing.
create table if not exists credential (
    token_hash bytea primary key,
    name text not null,
    team text not null,
    actor text not null,
    role text not null,
    feed text not null,
    types text[] not null,       -- 'orders.place_order', or '*'
    portfolios text[] not null,  -- empty: all
    revoked_at timestamptz
);
-- Whether it speaks for people (the console's): its requests say who asks, and in which role.
alter table credential add column if not exists delegates boolean not null default false;

-- The index by which commands are routed and checked, built from facts of accounts. asked_at is set before the account
-- has opened; at_desk is true once the order desk knows it, so that its orders can be decided.
create table if not exists account (
    account text primary key,
    home text not null,
    currency text not null,
    name text not null,
    portfolio text not null,
    asked_at timestamptz,
    at_desk boolean not null default false
);

-- One thing that somebody sent: an order, an event, a batch, a file. For a file also how far it was read.
create table if not exists flow (
    id text primary key,
    team text not null,
    actor text not null,
    role text not null,
    feed text not null,
    portfolios text[] not null,
    kind text not null,
    is_file boolean not null default false,
    state text not null,         -- accepted, reading, finished, refused
    failure text not null default '',
    accepted_at timestamptz not null default now(),
    finished_at timestamptz,
    as_of timestamptz,
    digest bytea not null,
    name text not null default '',
    bytes bigint not null default 0,
    upload text,
    read_offset bigint not null default 0,
    read_line bigint not null default 1,
    oversized text,
    "rows" bigint not null default 0,
    accepted_rows bigint not null default 0,
    repeated_rows bigint not null default 0,
    quarantined_rows bigint not null default 0,
    documents bigint not null default 0,
    repeated_documents bigint not null default 0
);
-- Of a bank's or payer's file: whose advice it is, and what its sender may send, because only reading tells what is in it.
alter table flow add column if not exists account text;
alter table flow add column if not exists types text[] not null default '{*}';
-- How often reading it was begun and not ended: a file that ends its reader must not do so for ever.
alter table flow add column if not exists tries integer not null default 0;
create index if not exists flow_to_read on flow (team, accepted_at) where is_file and state in ('accepted', 'reading');
create index if not exists flow_of_team on flow (team, accepted_at desc);

-- What came in under which identity, for ever: one narrow row, never split by time.
create table if not exists admitted (
    key bytea primary key,
    digest bytea not null,
    flow text not null
);

-- A command sent by API, and the first fact that answered it.
create table if not exists wish (
    id text primary key,
    flow text not null,
    type text not null,
    subject text not null,
    outcome text,
    answer bytea,
    answered_at timestamptz
);
create index if not exists wish_of_flow on wish (flow);

-- How the commands of a file ended: counted, because a file may have millions.
create table if not exists tally (flow text not null, outcome text not null, count bigint not null, primary key (flow, outcome));

create table if not exists upload (id text primary key, team text not null, began_at timestamptz not null default now());
create table if not exists chunk (upload text not null, number integer not null, body bytea not null, primary key (upload, number));

-- What was not sent on: the bytes, where they stood, and every reason. Repaired bytes are kept beside the original.
create table if not exists withheld (
    id bigint generated always as identity primary key,
    flow text not null,
    team text not null,
    kind text not null,
    line bigint not null default 0,
    reference text not null default '',
    raw bytea not null,
    repaired bytea,
    faults jsonb not null,
    at timestamptz not null default now(),
    status text not null default 'waiting',   -- waiting, replayed, discarded
    replayed_as text
);
create index if not exists withheld_of_flow on withheld (flow, line);
create index if not exists withheld_of_team on withheld (team, id) where status = 'waiting';

-- Orders that wait for a person, from facts of orders.
create table if not exists held (
    "order" text primary key,
    account text not null,
    home text not null,
    since timestamptz not null,
    level text,
    placed bytea,
    decision bytea
);
create index if not exists held_since on held (since);
