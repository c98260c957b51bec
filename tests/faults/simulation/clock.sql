-- The simulation's now(): it stands before the server's own in the search path of simulated sessions.
create schema if not exists sim;
create or replace function sim.now() returns timestamptz language sql stable as
$$ select current_setting('sim.now')::timestamptz + coalesce(nullif(current_setting('sim.elapsed', true), ''), '0')::interval $$;
