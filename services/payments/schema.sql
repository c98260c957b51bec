-- The ledger's read tables. Each row is a cache of the fold of the journal; body is the whole row, a column is there only for
-- a query. Applied idempotently at start. A column that is null takes no place in its partial index: what is settled, matched
-- or recognised leaves the indexes of what is still to be done.

create table if not exists account (
    key text primary key,
    partition smallint not null,
    words_of_name text not null,
    home text not null,
    body bytea not null
) with (fillfactor = 70);

-- Payers by a word of their name (recognising._known).
create index if not exists account_words on account using gin (string_to_array(words_of_name, ' '));
create index if not exists account_of_home on account (home);

create table if not exists item (
    key text primary key,
    partition smallint not null,
    account text not null,
    home text not null,
    kind text not null,
    ref_key text not null,
    reference text not null,
    amount_minor bigint not null,
    open_minor bigint not null,
    due_on date not null,
    open_home text,
    body bytea not null
) with (fillfactor = 80);

-- What is open of a group, oldest due first, and by amount (store.open_of, store.open_by_amount).
create index if not exists item_open on item (open_home, due_on) where open_home is not null;
create index if not exists item_open_amount on item (open_home, open_minor) where open_home is not null;
-- An item by its number as people write it, open or settled (store.items_by_key).
create index if not exists item_by_key on item (ref_key) where ref_key <> '';
create index if not exists item_by_reference on item (reference) where reference <> '';
create index if not exists item_of_account on item (account, due_on);
-- What is open for long (sweeping.fire).
create index if not exists item_old on item (partition, key) include (due_on, open_minor) where open_home is not null;

create table if not exists receipt (
    key text primary key,
    partition smallint not null,
    account text not null,
    pending_home text,
    waiting_home text,
    received_on date not null,
    body bytea not null
) with (fillfactor = 80);
create index if not exists receipt_pending on receipt (partition, key) where pending_home is not null;
create index if not exists receipt_waiting on receipt (waiting_home, received_on) where waiting_home is not null;

create table if not exists match (
    key text primary key,
    partition smallint not null,
    body bytea not null
);

create table if not exists statement (
    key text primary key,
    partition smallint not null,
    bank_account text not null,
    closed_on date,
    body bytea not null
);
create index if not exists statement_of_account on statement (bank_account, closed_on);

create table if not exists landed (
    key text primary key,
    partition smallint not null,
    new_at text,
    body bytea not null
) with (fillfactor = 80);
create index if not exists landed_new on landed (partition, key) where new_at is not null;

-- Entries alike, of intraday reports and statements (twins.py).
create table if not exists bank_known (
    key text primary key,
    partition smallint not null,
    provisional_at text,
    booked_on date not null,
    body bytea not null
);

create index if not exists bank_known_provisional on bank_known (provisional_at, key) where provisional_at is not null;

create table if not exists advice (
    key text primary key,
    partition smallint not null,
    open_account text,
    body bytea not null
);
create index if not exists advice_open on advice (open_account) where open_account is not null;

create table if not exists payout (
    key text primary key,
    partition smallint not null,
    run text not null,
    body bytea not null
);
-- What a monthly run gave up (sweeping.given_up).
create index if not exists payout_of_run on payout (run, key) where run <> '';

create table if not exists outgoing (
    key text primary key,
    partition smallint not null,
    queued_at text,
    body bytea not null
);
create index if not exists outgoing_queued on outgoing (queued_at, key) where queued_at is not null;

create table if not exists payment_file (
    key text primary key,
    partition smallint not null,
    body bytea not null
);

create table if not exists alias (
    key text primary key,
    partition smallint not null,
    account text not null,
    kind text not null,
    value text not null,
    body bytea not null
);
create index if not exists alias_by_value on alias (kind, value);

create table if not exists card (
    key text primary key,
    partition smallint not null,
    asking_key text,
    body bytea not null
);
-- What the acquirer is still to be asked (cards.executor).
create index if not exists card_asking on card (asking_key) where asking_key is not null;

-- What is asked of the ERP, and its documents as they were taken: once for ever, so never split by time.
create table if not exists erp_request (
    key text primary key,
    partition smallint not null,
    body bytea not null
);

create table if not exists erp_posting (
    key text primary key,
    partition smallint not null,
    body bytea not null
);

create table if not exists period (
    key text primary key,
    partition smallint not null,
    body bytea not null
);

-- The lines of every entry: only ever added.
create table if not exists ledger (
    key text primary key,
    partition smallint not null,
    entry text not null,
    account text not null,
    ledger text not null,
    effective_on date not null,
    known_at timestamptz not null,
    amount_minor bigint not null,
    currency text not null,
    base_minor bigint not null,
    item text,
    body bytea not null
);
create index if not exists ledger_of_account on ledger (account, effective_on);

-- An entry sums to zero (P1): checked for what each statement adds, because an entry's lines are added together.
create or replace function ledger_balances() returns trigger language plpgsql as $$
declare
    wrong text;
begin
    if not exists (select from added group by entry having sum(base_minor) <> 0) then
        return null;
    end if;
    -- A rebuild adds single lines that were lost: then the entry as it stands now is what counts.
    select entry into wrong from ledger
    where entry in (select entry from added group by entry having sum(base_minor) <> 0)
    group by entry having sum(base_minor) <> 0 limit 1;
    if found then
        raise exception 'entry % does not sum to zero', wrong using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create or replace trigger ledger_sums_to_zero after insert on ledger
    referencing new table as added for each statement execute function ledger_balances();

-- And nothing of it is ever changed; rows go only with a whole table that is rebuilt.
create or replace function ledger_stands() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is never changed: post a new entry' using errcode = 'check_violation';
end
$$;
create or replace trigger ledger_is_never_changed before update on ledger
    for each row execute function ledger_stands();
