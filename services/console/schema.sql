-- The console's read tables, besides the kit's. Applied idempotently at start. A section per projection, all of them
-- rebuilt from facts; what the console keeps of its own (people, sessions, who has what open) says so.

-- --- people (people.py, sessions.py, signin.py, auditing.py): the console's own, no projection; nothing rebuilds them ---

-- Who may sign in. password is an argon2id hash; null for those who sign in at issuer as subject.
create table if not exists person (
    name text primary key,
    shown text not null,
    role text not null,
    team text not null,
    portfolios text[] not null default '{}',
    zone text not null,
    password text,
    issuer text,
    subject text,
    disabled_at timestamptz,
    made_at timestamptz not null default now()
);
create unique index if not exists person_elsewhere on person (issuer, subject) where subject is not null;

-- Who is signed in: id is the SHA-256 of the browser's token, form_key makes the tokens of its forms.
create table if not exists session (
    id bytea primary key,
    person text not null references person,
    form_key bytea not null,
    address text not null,
    made_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    acting_for text not null default ''
);
create index if not exists session_of_person on session (person);

-- A browser that was sent to the identity provider, until it comes back with this state.
create table if not exists way_out (
    state bytea primary key,
    browser bytea not null,
    nonce text not null,
    verifier text not null,
    next text not null,
    made_at timestamptz not null default now()
);

-- Failed sign-ins in a row, by account and by address: who failed often waits before the next try.
create table if not exists failure (
    key text primary key,
    times integer not null,
    last_at timestamptz not null
);

-- What was refused and who came and went; only ever added to.
create table if not exists audit (
    n bigint generated always as identity primary key,
    at timestamptz not null default now(),
    what text not null,
    person text not null,
    role text not null,
    address text not null,
    path text not null,
    detail text not null
);
create index if not exists audit_of_person on audit (person, n);

-- The release desk (queue.py): every order as it stands, from facts of orders. `decision` and `placed` are there while it waits.
create table if not exists orders (
    "order" text primary key,
    account text not null,
    home text not null,
    reference text not null,             -- the order's name without its feed
    status text not null,
    recalled boolean not null,
    currency text not null,
    portfolio text not null,
    received_at timestamptz,
    since timestamptz,
    total_minor bigint not null,
    waiting_minor bigint not null,
    reserved_minor bigint not null,
    unbilled_minor bigint not null,
    billed_minor bigint not null,
    despatched_minor bigint not null,
    from_at timestamptz,
    warn_at timestamptz,
    escalate_at timestamptz,
    due_at timestamptz,
    cut_off_at timestamptz,
    calendar text not null,
    mark text not null,
    told text not null,
    level text not null,
    owner text not null,
    rank bigint not null,
    asked_at timestamptz,
    checks text[] not null,
    exposure_minor bigint not null,      -- of the account, when it was decided
    limit_minor bigint not null,
    po_number text not null,
    decision bytea,
    placed bytea,
    decided_at timestamptz,
    decided_by text not null,
    sequence bigint not null,            -- of the newest fact about it
    waits boolean generated always as (status in ('held', 'referred')) stored
) with (fillfactor = 80);
create index if not exists orders_clock on orders (due_at, "order") where waits;
create index if not exists orders_reference on orders (reference text_pattern_ops);
create index if not exists orders_account on orders (account, received_at);
create index if not exists orders_po_number on orders (po_number) where po_number <> '';
-- Final decisions by people, by time: the desk's pace (clock.py).
create index if not exists orders_decided on orders (decided_at)
    where decided_by not in ('', 'policy', 'customer', 'warehouse');

-- What the order desk knows of an account, and the parts of its exposure (F1).
create table if not exists accounts (
    account text primary key,
    home text not null,
    parent text,
    name text not null,
    currency text not null,
    status text not null,
    portfolio text not null,
    terms bytea not null,
    limit_minor bigint not null,
    limit_expires_on date,
    insured_minor bigint not null,
    insured_until date,
    review_due_on date,
    dunning_level bigint not null,
    broken date[] not null,
    stock_shipped bigint not null,
    stock_unconnected bigint not null,
    open_minor bigint not null,
    unbilled_minor bigint not null,
    reserved_minor bigint not null,
    deals_minor bigint not null,
    soft_credits_minor bigint not null,
    disputed_minor bigint not null,
    waiting bigint not null,
    waiting_minor bigint not null,
    sequence bigint not null
) with (fillfactor = 70);
create index if not exists accounts_home on accounts (home);

-- Debt by due date: what is overdue on which day.
create table if not exists debts (
    account text not null,
    due_on date not null,
    open_minor bigint not null,
    disputed_minor bigint not null,
    primary key (account, due_on)
);

-- Every fact about an account or an order (said.py).
create table if not exists said (
    id text primary key,
    type text not null,
    at timestamptz not null,
    source text not null,
    sequence bigint not null,
    account text not null,
    "order" text,
    actor text not null,
    role text not null,
    cause text not null,
    flow text not null,
    data bytea not null
);
create index if not exists said_of_order on said ("order", at, sequence) where "order" is not null;
create index if not exists said_of_account on said (account, at, sequence);

-- Credit policies that were adopted (policies.py).
create table if not exists policies (
    version text not null,
    digest text not null,
    effective_from date not null,
    adopted_at timestamptz not null,
    policy bytea not null,
    primary key (version, digest, effective_from)
);

-- Who has which order open (in_hand.py): the console's own, rebuilt from nothing.
create table if not exists in_hand (
    person text primary key,
    shown text not null,
    "order" text not null,
    since timestamptz not null,
    seen_at timestamptz not null default now()
);
create index if not exists in_hand_order on in_hand ("order");

-- What the desk did, by the policy's local day.
create table if not exists desk_days (
    day date not null,
    portfolio text not null,
    received bigint not null,
    at_once bigint not null,
    cleared bigint not null,
    by_people bigint not null,
    rejected bigint not null,
    breached bigint not null,
    primary key (day, portfolio)
);


-- --- counting.py: sums per minute of the facts' own time -----------------------------------------------------------

create table if not exists tally (
    partition smallint not null,
    minute timestamptz not null,
    portfolio text not null,
    what text not null,
    n bigint not null,
    primary key (minute, portfolio, what, partition)
);
-- What counting must remember of an order until its final decision.
create table if not exists tally_waiting (
    "order" text primary key,
    partition smallint not null,
    portfolio text not null,
    received_at timestamptz,
    escalated boolean not null,
    breached boolean not null
);
-- How far each partition of the order desk's facts is counted.
create table if not exists tally_lane (partition smallint primary key, seen bigint not null, clock timestamptz not null);

-- --- worker.py: the same sums, folded by the worker that counts streams; drift.py compares and throws away ----------

create table if not exists window_minute (
    partition smallint not null,
    minute timestamptz not null,
    portfolio text not null,
    upto bigint not null,
    counts jsonb not null,
    primary key (minute, portfolio, partition)
);
create table if not exists window_sliding (
    partition smallint not null,
    portfolio text not null,
    minutes smallint not null,
    until timestamptz not null,
    counts jsonb not null,
    primary key (minutes, portfolio, partition)
);
-- Where the worker stands in each partition. gap_at: the number that is missing before it can go on, else null.
create table if not exists window_lane (
    partition smallint primary key,
    seen bigint not null,
    clock timestamptz not null,
    since timestamptz not null,
    gap_at bigint
);
-- One row: when the worker last said that it lives, which generation of its tables it folds, and which one is wanted.
create table if not exists window_worker (
    only_one boolean primary key default true check (only_one),
    generation integer not null default 1,
    folded integer not null default 0,
    beat_at timestamptz not null default '-infinity'
);
insert into window_worker default values on conflict do nothing;
-- What the last comparisons found: rows that differ, and the sum of their differences.
create table if not exists drift (
    at timestamptz primary key,
    compared bigint not null,
    differing bigint not null,
    difference bigint not null,
    example text not null default '',
    rebuilt boolean not null default false
);

-- --- probing.py: what the instances of all services said about themselves, for some hours ---------------------------

create table if not exists health (
    service text not null,
    instance text not null,
    at timestamptz not null,
    figures jsonb not null,
    primary key (at, service, instance)
);
create table if not exists health_instance (
    service text not null,
    instance text not null,
    first_at timestamptz not null default now(),
    seen_at timestamptz,
    asked_at timestamptz not null,
    ready boolean not null,
    problem text not null default '',
    figures jsonb not null default '{}',
    primary key (service, instance)
);

-- Accounts as they stood at the end of each day on which they moved (past.py).
create table if not exists account_days (
    account text not null,
    day date not null,
    body bytea not null,
    sequence bigint not null,
    primary key (account, day)
);

-- The book of accounts (book.py), from facts of accounts: each account with its stop, and what waits for an approval.
create table if not exists book (
    account text primary key,
    home text not null,
    parent text,
    name text not null,
    currency text not null,
    portfolio text not null,
    status text not null,
    limit_minor bigint not null,
    limit_expires_on date,
    terms bytea not null,
    stops_on date,
    stop_reason text not null,
    stop_by text not null,
    stopped_at timestamptz,
    reasons bytea not null,
    owner text not null,
    actions bytea not null,
    progress_due_on date,
    missed bigint not null,
    progress text not null,
    progress_by text not null,
    progress_at timestamptz,
    sequence bigint not null
) with (fillfactor = 80);
create index if not exists book_stopped on book (stops_on, progress_due_on) where status = 'on_stop' or stops_on is not null;
-- When an account came on the list of stops (on stop, or announced), and when it left it; only ever added to.
create table if not exists stop_turns (
    fact text primary key,
    account text not null,
    at timestamptz not null,
    sequence bigint not null,
    listed boolean not null
);
create index if not exists stop_turns_of on stop_turns (account, sequence);
create table if not exists requests (
    request text primary key,
    account text not null,
    kind text not null,
    amount_minor bigint not null,
    currency text not null,
    levels text[] not null,
    reason text not null,
    by text not null,
    role text not null,
    at timestamptz not null,
    effective_from date not null,
    four_eyes boolean not null,
    limit_minor bigint,
    limit_expires_on date,
    terms bytea,
    was_minor bigint not null,
    was_expires_on date,
    was_terms bytea not null,
    state text not null,
    answered_by text not null,
    answered_at timestamptz,
    answer text not null,
    sequence bigint not null
);
create index if not exists requests_open on requests (account) where state = 'open';
create index if not exists requests_answered on requests (answered_at) where state <> 'open';

-- Open items by account, and the timeline of each account: it only grows.
create table if not exists items (
    account text not null,
    item text not null,
    due_on date,
    since timestamptz not null,
    open_minor bigint not null,
    disputed_minor bigint not null,
    primary key (account, item)
);
create table if not exists entries (
    id text primary key,                 -- of the fact, in `said`
    account text not null,
    at timestamptz not null,
    kind text not null
);
create index if not exists entries_of on entries (account, at, id);
create index if not exists orders_open on orders (account) where waits or reserved_minor <> 0 or unbilled_minor <> 0;

-- Announced large orders (deals.py), from facts of orders; `id` is the fact that registered it, `held_by` JSON of findings.
create table if not exists deals (
    id text primary key,
    deal text not null,
    account text not null,
    currency text not null,
    value_minor bigint not null,
    from_on date not null,
    until_on date not null,
    evidence text not null,
    level text not null,
    by text not null,
    at timestamptz not null,
    state text not null,
    reserved_minor bigint not null,
    used_minor bigint not null,
    answered_by text not null,
    answered_at timestamptz,
    answer text not null,
    held_by bytea not null,
    ended_at timestamptz,
    sequence bigint not null
) with (fillfactor = 80);
create index if not exists deals_open on deals (account, deal) where ended_at is null;
create index if not exists deals_ended on deals (ended_at) where ended_at is not null;

-- Which orders used them; a row per match.
create table if not exists deal_uses (
    fact text primary key,
    deal text not null,
    "order" text not null,
    used_minor bigint not null,
    at timestamptz not null
);
create index if not exists deal_uses_of on deal_uses (deal);

-- Who covers whom (cover.py), from facts of accounts.
create table if not exists covers (
    id text primary key,                 -- of the fact that appointed the deputy
    person text not null,
    deputy text not null,
    role text not null,
    from_on date not null,
    until_on date not null,
    reason text not null,
    by text not null,
    ended_at timestamptz
);
create index if not exists covers_of on covers (deputy, person, until_on) where ended_at is null;

-- --- receivables: the cash desk (receivables/cash.py), from facts of payments -------------------------------------------

-- Every receipt; proposals and lines are JSON. `version` is counted as the ledger counts it.
create table if not exists receipts (
    receipt text primary key,
    account text not null,
    home text not null,
    amount_minor bigint not null,
    unallocated_minor bigint not null,
    currency text not null,
    received_on date not null,
    bank_account text not null,
    bank_entry text not null,
    state text not null,
    version bigint not null,
    matches bigint not null,
    owner text not null,
    note text not null,
    why text not null,
    gave_up boolean not null,
    proposals bytea not null,
    payer text not null,
    payer_account text not null,
    reference text not null,
    end_to_end text not null,
    text text not null,
    lines bytea not null,
    charges_minor bigint not null,
    is_provisional boolean not null,
    found_by text not null,
    since timestamptz not null,
    changed_by text not null,
    changed_at timestamptz,
    sequence bigint not null
) with (fillfactor = 80);
alter table receipts add column if not exists requested_minor bigint not null default 0;
create index if not exists receipts_waiting on receipts (received_on, receipt) where state = 'referred';
create index if not exists receipts_pending on receipts (account) where state = 'pending';
create index if not exists receipts_unallocated on receipts (account) where unallocated_minor <> 0;

-- Every bank entry; candidates and lines are JSON.
create table if not exists bank_entries (
    key text primary key,                -- <bank account>/<entry>
    bank_account text not null,
    entry text not null,
    statement text not null,
    amount_minor bigint not null,
    currency text not null,
    booked_on date not null,
    value_on date not null,
    state text not null,
    why text not null,
    candidates bytea not null,
    may_be text[] not null,
    payer text not null,
    payer_account text not null,
    payer_bank text not null,
    reference text not null,
    end_to_end text not null,
    servicer_reference text not null,
    text text not null,
    lines bytea not null,
    code text not null,
    is_reversal boolean not null,
    is_charge boolean not null,
    is_provisional boolean not null,
    account text not null,
    receipt text not null,
    version integer not null,
    since timestamptz not null,
    changed_by text not null,
    changed_at timestamptz,
    sequence bigint not null
) with (fillfactor = 80);
alter table bank_entries add column if not exists owner text not null default '';
alter table bank_entries add column if not exists note text not null default '';
create index if not exists bank_entries_waiting on bank_entries (booked_on, key) where state = 'unrecognised';

-- Which facts (in `said`) a receipt has.
create table if not exists receipt_facts (
    id text primary key,
    receipt text not null,
    sequence bigint not null
);
create index if not exists receipt_facts_of on receipt_facts (receipt, sequence);

-- --- receivables: the ledger (receivables/ledger.py), from facts of payments and claims ---------------------------------

-- Every item that was ever posted, with what is open of it. discounts is JSON.
create table if not exists ledger_items (
    key text primary key,                -- <account>/<item>
    account text not null,
    home text not null,
    item text not null,
    kind text not null,
    currency text not null,
    amount_minor bigint not null,
    open_minor bigint not null,
    base_minor bigint not null,
    open_base_minor bigint not null,
    document_on date not null,
    due_on date not null,
    "order" text not null,
    po_number text not null,
    reference text not null,
    discounts bytea not null,
    settled_by text not null,
    posted_at timestamptz not null,
    sequence bigint not null
) with (fillfactor = 80);
create index if not exists ledger_items_open on ledger_items (account, due_on, item) where open_minor <> 0 or open_base_minor <> 0;
create index if not exists ledger_items_group on ledger_items (home, due_on, item) where open_minor <> 0;
create index if not exists ledger_items_sold on ledger_items (document_on) where kind in ('invoice', 'debit_note', 'credit_note');

-- Lines of entries on receivables, with both of their times; only ever added to.
create table if not exists ledger_lines (
    account text not null,
    entry text not null,
    n smallint not null,
    item text not null,
    kind text not null,
    currency text not null,
    amount_minor bigint not null,
    base_minor bigint not null,
    effective_on date not null,
    known_at timestamptz not null,
    sequence bigint not null,
    fact text not null,                  -- in `said`: the whole entry
    reverses text not null,
    text text not null,
    primary key (account, entry, n)
);
create index if not exists ledger_lines_of on ledger_lines (account, currency, effective_on, sequence, n);
create index if not exists ledger_lines_item on ledger_lines (account, item);
create index if not exists ledger_lines_told on ledger_lines (account, known_at);
create index if not exists ledger_lines_day on ledger_lines (effective_on);
create index if not exists ledger_lines_known on ledger_lines (known_at);

-- What of an item came into dispute or left it, a row per fact of claims.
create table if not exists ledger_disputes (
    fact text primary key,
    account text not null,
    claim text not null,
    item text not null,
    minor bigint not null,
    at timestamptz not null
);
create index if not exists ledger_disputes_of on ledger_disputes (account, item);
create index if not exists ledger_disputes_claim on ledger_disputes (account, claim);

-- Credit sales by account and month of the documents: invoices and debit notes less credit notes (F3).
create table if not exists ledger_sales (
    account text not null,
    month date not null,
    currency text not null,
    minor bigint not null,
    base_minor bigint not null,
    primary key (account, month, currency)
);

-- What is asked of the ERPs that keep the book of some legal entities (receivables/elsewhere.py); lines and entries are JSON.
create table if not exists erp_requests (
    request text primary key,
    account text not null,
    kind text not null,
    legal_entity text not null,
    company_code text not null,
    "on" date not null,
    answer_by date not null,
    document text not null,
    reason text not null,
    by text not null,
    at timestamptz not null,
    lines bytea not null,
    entries bytea not null,
    state text not null,
    posting text not null,
    sequence bigint not null
) with (fillfactor = 80);
create index if not exists erp_requests_open on erp_requests (answer_by, request) where state = 'open';

-- Our open items against an ERP's own list (receivables/differences.py): the console's own, nothing rebuilds them.
create table if not exists erp_differences (
    id text primary key,
    legal_entity text not null,
    "on" date not null,
    at timestamptz not null,
    by text not null,
    list_name text not null,
    digest text not null,                -- SHA-256 of the list
    found bytea not null,                -- the result, JSON
    faults bytea not null                -- rows that could not be read, JSON
);
create index if not exists erp_differences_of on erp_differences (legal_entity, at);

-- Reconciliations with customers' own lists (receivables/reconciliations.py): the console's own, nothing rebuilds them.
create table if not exists reconciliations (
    id text primary key,
    account text not null,
    "on" date not null,
    at timestamptz not null,
    by text not null,
    list_name text not null,
    columns bytea not null,              -- the mapping, JSON
    found bytea not null,                -- the result, JSON
    faults bytea not null                -- rows that could not be read, JSON
);
create index if not exists reconciliations_of on reconciliations (account, at);
-- How many lines do not agree, rows that could not be read too: 0 closes what was open of the account.
alter table reconciliations add column if not exists differing integer;
update reconciliations set differing = jsonb_array_length(convert_from(faults, 'utf8')::jsonb) + (
    select sum(jsonb_array_length(convert_from(found, 'utf8')::jsonb -> kind))
    from unnest(array['different', 'ours_only', 'theirs_only']) as kind)
where differing is null;

-- Statements of account as the ledger issued them (receivables/stated.py): the paper is made as of its day.
create table if not exists statements_issued (
    key text primary key,                -- <account>/<number>
    account text not null,
    number bigint not null,
    cadence text not null,
    as_of date not null,
    since date,
    at timestamptz not null,
    sequence bigint not null
);
create index if not exists statements_issued_of on statements_issued (account, number);

-- --- money out and money given up (receivables/paying.py): all of it follows from facts ---

-- A refund, write-off or write-back after every fact of its account.
create table if not exists payouts (
    request text primary key,
    account text not null,
    kind text not null,
    item text not null,
    amount_minor bigint not null,
    currency text not null,
    reason text not null,
    evidence text not null,
    levels text[] not null,
    by text not null,
    at timestamptz not null,
    state text not null,
    answered_by text not null,
    answer text not null,
    changed_at timestamptz not null,
    run text not null,
    base_minor bigint not null,
    payment text not null,
    paid_on date,
    reversed_by text not null,
    sequence bigint not null
) with (fillfactor = 80);
create index if not exists payouts_asked on payouts (at) where state = 'asked';
create index if not exists payouts_changed on payouts (changed_at) where state <> 'asked';
create index if not exists payouts_run on payouts (run, account) where run <> '';

-- A refund at the bank account that pays it; another stream than its account's tells of it.
create table if not exists outgoing (
    request text primary key,
    bank_account text not null,
    account text not null,
    amount_minor bigint not null,
    currency text not null,
    iban text not null,
    holder text not null,
    state text not null,
    file text not null,
    file_at timestamptz,
    queued_at timestamptz not null,
    sequence bigint not null
);
create index if not exists outgoing_queued on outgoing (bank_account, currency, request) where state = 'queued';
create index if not exists outgoing_file on outgoing (bank_account, file) where file <> '';

-- Payment files: body is the fact, from which the bytes follow; digest proves them.
create table if not exists payment_files (
    key text primary key,                -- <bank account>/<file>
    bank_account text not null,
    file text not null,
    "on" date not null,
    digest text not null,
    refunds bigint not null,
    total_minor bigint not null,
    currency text not null,
    by text not null,
    made_at timestamptz not null,
    body bytea not null,
    sequence bigint not null
);
create index if not exists payment_files_made on payment_files (made_at);

-- Where an account wants to be paid; confirmed_by is empty until somebody else has called it back.
create table if not exists bank_details (
    account text primary key,
    iban text not null,
    holder text not null,
    reason text not null,
    by text not null,
    at timestamptz not null,
    confirmed_by text not null,
    called text not null,
    sequence bigint not null
);
alter table bank_details add column if not exists levels text[] not null default '{}';   -- may confirm, lowest first
create index if not exists bank_details_new on bank_details (at) where confirmed_by = '';

-- --- offsets (receivables/offsets.py): which debts a credit was set against, a row each ---
create table if not exists offsets (
    "offset" text primary key,
    account text not null,
    credit text not null,
    lines bytea not null,                -- (item, minor) each, JSON
    amount_minor bigint not null,
    effective_on date not null,
    agreement text not null,
    reason text not null,
    by text not null,
    at timestamptz not null,
    undone_by text not null,
    undone_because text not null,
    undone_at timestamptz,
    sequence bigint not null
);
create index if not exists offsets_of on offsets (account, at);
create index if not exists offsets_at on offsets (at);

-- --- card payments (receivables/cards.py): a row each after every fact; never a token, never a card number ---
create table if not exists card_payments (
    key text primary key,                -- <account>/<payment>
    account text not null,
    payment text not null,
    amount_minor bigint not null,
    currency text not null,
    items text[] not null,
    state text not null,
    captured_minor bigint not null,
    refunded_minor bigint not null,
    charged_back_minor bigint not null,
    detail text not null,
    receipt text not null,
    debit_note text not null,
    by text not null,
    at timestamptz not null,
    changed_at timestamptz not null,
    sequence bigint not null
) with (fillfactor = 80);
create index if not exists card_payments_at on card_payments (at);
create index if not exists card_payments_of on card_payments (account, at);
