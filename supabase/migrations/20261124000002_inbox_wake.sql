-- Dispatch sleeps until there may be something to start. Who waits hears it by
-- `listen inbox_wake`; whoever changes a row, and however, the trigger tells. A notification that
-- nobody hears is no loss: dispatch looks every few seconds in any case.

create function inbox_private.wake() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform pg_catalog.pg_notify('inbox_wake', '');
  return null;
end $$;

-- A job has its files and waits for a run, or waits again (released, taken back, tried again).
create trigger wake_when_pending after update of status, total_files on public.inbox_jobs
  for each row
  when (new.status = 'pending' and new.total_files > 0
        and (old.status <> 'pending' or old.total_files = 0))
  execute function inbox_private.wake();

-- A place has become free.
create trigger wake_when_over after update of status on public.inbox_jobs
  for each row
  when (old.status = 'processing' and new.finished_at is not null)
  execute function inbox_private.wake();

revoke all on function inbox_private.wake() from public;
do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated'] loop
    if exists (select from pg_roles where rolname = v_role) then
      execute format('revoke all on function inbox_private.wake() from %I', v_role);
    end if;
  end loop;
end $$;
notify pgrst, 'reload schema';
