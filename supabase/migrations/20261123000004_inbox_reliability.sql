-- Submissions that may be repeated, jobs that may be tried again or deleted, clients that do
-- not starve each other, and one view that says what is stuck and why.

-- ---------------------------------------------------------------- repeated submissions

-- A key of a client's stands for one submission. While its files are under way the key is
-- reserved; a reservation that lapsed (the receiver died) is taken over under another job id, so
-- that what the dead one stored is never mixed with what the new one stores.
create table public.inbox_submissions (
  client_id       text not null check (char_length(client_id) between 1 and 200),
  idempotency_key text not null check (char_length(idempotency_key) between 1 and 255),
  job_id          uuid not null unique,
  request_sha256  text check (request_sha256 ~ '^[0-9a-f]{64}$'),
  reserved_until  timestamptz,
  created_at      timestamptz not null default inbox_private.clock(),
  primary key (client_id, idempotency_key),
  constraint reserved_or_done check ((reserved_until is null) = (request_sha256 is not null))
);
alter table public.inbox_submissions enable row level security;

-- Answers {state: new | in_flight | done, job_id, request_sha256}. The caller that is told new
-- stores the files under that job id and then submits with the key.
create function public.inbox_reserve_submission(
  p_client_id text, p_key text, p_job_id uuid, p_seconds double precision) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := inbox_private.clock();
  s public.inbox_submissions;
begin
  insert into public.inbox_submissions as old (client_id, idempotency_key, job_id, reserved_until)
  values (p_client_id, p_key, p_job_id, v_now + make_interval(secs => p_seconds))
  on conflict (client_id, idempotency_key) do update
     set job_id = excluded.job_id, reserved_until = excluded.reserved_until
   where old.reserved_until <= v_now or old.job_id = excluded.job_id and old.request_sha256 is null
  returning * into s;
  if found then
    return jsonb_build_object('state', 'new', 'job_id', s.job_id, 'request_sha256', null);
  end if;
  select * into s from public.inbox_submissions where client_id = p_client_id and idempotency_key = p_key;
  return jsonb_build_object('state', case when s.request_sha256 is null then 'in_flight' else 'done' end,
                            'job_id', s.job_id, 'request_sha256', s.request_sha256);
end $$;

-- The files are stored: queue the job and settle the key, in one transaction.
create function public.inbox_submit_reserved_job(
  p_job_id uuid, p_files jsonb, p_labels jsonb, p_client_id text, p_max_attempts integer,
  p_key text, p_request_sha256 text) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  update public.inbox_submissions set request_sha256 = p_request_sha256, reserved_until = null
   where client_id = p_client_id and idempotency_key = p_key and job_id = p_job_id
     and coalesce(request_sha256, p_request_sha256) = p_request_sha256;
  if not found then
    raise exception 'this Idempotency-Key was taken over by another request' using errcode = '22023', detail = 'idempotency_conflict';
  end if;
  return public.inbox_submit_job(p_job_id, p_files, p_labels, p_client_id, p_max_attempts);
end $$;

-- The request was refused: its key may be used again at once.
create function public.inbox_abandon_submission(p_client_id text, p_key text, p_job_id uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  delete from public.inbox_submissions
   where client_id = p_client_id and idempotency_key = p_key and job_id = p_job_id and request_sha256 is null;
  return found;
end $$;

-- ---------------------------------------------------------------- another chain of attempts

alter table public.inbox_jobs add column chain integer not null default 1 check (chain >= 1);
alter table public.inbox_files add column chain integer not null default 1 check (chain >= 1);

create or replace function inbox_private.guard_job() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_again boolean := new.chain = old.chain + 1;
begin
  if new.chain <> old.chain and not v_again then
    raise exception 'the chain of a job grows by one' using errcode = '23514';
  end if;
  if v_again and (old.finished_at is null or new.status <> 'pending') then
    raise exception 'only a job that is over is tried again' using errcode = '23514';
  end if;
  if new.status <> old.status and not v_again and (old.status, new.status) not in (
      ('pending', 'processing'), ('pending', 'cancelled'), ('pending', 'failed'), ('pending', 'completed'),
      ('processing', 'pending'), ('processing', 'completed'), ('processing', 'failed'),
      ('processing', 'cancelled')) then
    raise exception 'a job cannot go from % to %', old.status, new.status using errcode = '23514';
  end if;
  if (new.id, new.client_id, new.created_at) is distinct from (old.id, old.client_id, old.created_at) then
    raise exception 'id, client_id and created_at of a job never change' using errcode = '23514';
  end if;
  if new.total_files < old.total_files or new.dispatch < old.dispatch
     or not v_again and (new.progress < old.progress or new.processed_files < old.processed_files) then
    raise exception 'progress, counts and dispatch of a job never fall' using errcode = '23514';
  end if;
  if (new.status = 'processing' and old.status = 'pending') <> (new.attempt = old.attempt + 1)
     or new.attempt not in (old.attempt, old.attempt + 1) then
    raise exception 'a claim, and nothing else, is an attempt' using errcode = '23514';
  end if;
  if new.lease_token <= old.lease_token and new.attempt <> old.attempt or new.lease_token < old.lease_token then
    raise exception 'the fencing token only grows' using errcode = '23514';
  end if;
  new.updated_at := inbox_private.clock();
  return new;
end $$;

create or replace function inbox_private.guard_file() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_again boolean := new.chain = old.chain + 1;
begin
  if new.chain <> old.chain and not v_again
     or v_again and (old.status not in ('failed', 'cancelled') or new.status <> 'pending') then
    raise exception 'only a file that failed or was cancelled is tried again' using errcode = '23514';
  end if;
  if new.status <> old.status and not v_again and (old.status, new.status) not in (
      ('pending', 'processing'), ('pending', 'failed'), ('pending', 'cancelled'),
      ('processing', 'pending'), ('processing', 'completed'), ('processing', 'failed'),
      ('processing', 'cancelled')) then
    raise exception 'a file cannot go from % to %', old.status, new.status using errcode = '23514';
  end if;
  if (new.id, new.job_id, new.number, new.storage_key) is distinct from (old.id, old.job_id, old.number, old.storage_key) then
    raise exception 'id, job_id, number and storage_key of a file never change' using errcode = '23514';
  end if;
  if not v_again and new.crash_count < old.crash_count or new.lease_token < old.lease_token then
    raise exception 'crash_count and token of a file never fall' using errcode = '23514';
  end if;
  new.updated_at := inbox_private.clock();
  return new;
end $$;

-- Try the failed and cancelled files of a job that is over once more: a new chain of attempts,
-- counted from zero. Finished files keep their results. A job that is not over stays as it is.
create function public.inbox_retry_job(p_job_id uuid, p_client_id text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  j public.inbox_jobs;
  v_again integer;
begin
  select * into j from public.inbox_jobs
   where id = p_job_id and (p_client_id is null or client_id = p_client_id) for update;
  if j.finished_at is not null then
    update public.inbox_files
       set status = 'pending', chain = chain + 1, crash_count = 0, error_code = null, error_message = null,
           finished_at = null, started_at = null, processing_time = null
     where job_id = j.id and status in ('failed', 'cancelled');
    get diagnostics v_again = row_count;
    if v_again > 0 then
      update public.inbox_jobs
         set status = 'pending', chain = chain + 1, charged_attempts = 0, lost_dispatches = 0, dispatch = dispatch + 1,
             result = null, error = null, finished_at = null, cancel_requested_at = null,
             available_at = inbox_private.clock(),
             processed_files = n.done, progress = 100 * n.done / greatest(total_files, 1)
        from (select count(*)::integer as done from public.inbox_files where job_id = j.id and finished_at is not null) n
       where id = j.id;
    end if;
  end if;
  return public.inbox_job_view(p_job_id, p_client_id);
end $$;

-- Forget a job that is over, with its files, attempts and key. Answers {state: deleted | running
-- (cancel it first) | absent, keys}: the caller removes the bytes under these keys, which no other
-- job has; a sweep finds those it could not.
create function public.inbox_delete_job(p_job_id uuid, p_client_id text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  j public.inbox_jobs;
  v_keys jsonb;
begin
  select * into j from public.inbox_jobs
   where id = p_job_id and (p_client_id is null or client_id = p_client_id) for update;
  if not found or j.finished_at is null then
    return jsonb_build_object('state', case when found then 'running' else 'absent' end, 'keys', jsonb_build_array());
  end if;
  select coalesce(jsonb_agg(distinct f.storage_key), '[]') into v_keys from public.inbox_files f
   where f.job_id = p_job_id and not exists (
     select from public.inbox_files o where o.storage_key = f.storage_key and o.job_id <> p_job_id);
  delete from public.inbox_submissions where job_id = p_job_id;
  delete from public.inbox_jobs where id = p_job_id;
  return jsonb_build_object('state', 'deleted', 'keys', v_keys);
end $$;
create index inbox_files_key on public.inbox_files (storage_key);

-- Which of these job ids are in use: by a row, or by a submission whose files are under way.
create function public.inbox_known_jobs(p_job_ids jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(id), '[]') from (
    select id from public.inbox_jobs where id in (select value::uuid from jsonb_array_elements_text(p_job_ids))
    union
    select job_id from public.inbox_submissions
     where job_id in (select value::uuid from jsonb_array_elements_text(p_job_ids))
       and reserved_until > inbox_private.clock()) known;
$$;

-- ---------------------------------------------------------------- fairness

create index inbox_jobs_fair on public.inbox_jobs (client_id, available_at, id) where status = 'pending';

-- The next jobs in turn: each client's oldest before any client's second oldest, jobs at work
-- counting as turns taken. Reads p_limit rows of each waiting client at most.
create function inbox_private.next_jobs(p_limit integer) returns table (id uuid, dispatch integer, turn bigint)
language sql stable set search_path = '' as $$
  with recursive clients as (
    (select client_id from public.inbox_jobs where status = 'pending' order by client_id limit 1)
    union all
    select (select j.client_id from public.inbox_jobs j
             where j.status = 'pending' and j.client_id > c.client_id order by j.client_id limit 1)
      from clients c where c.client_id is not null),
  turns as (
    select j.id, j.dispatch, j.available_at,
           row_number() over (partition by c.client_id order by j.available_at, j.id) + w.working as turn
      from clients c
     cross join lateral (select count(*) as working from public.inbox_jobs a
                          where a.status = 'processing' and a.client_id = c.client_id) w
     cross join lateral (select p.id, p.dispatch, p.available_at from public.inbox_jobs p
                          where p.status = 'pending' and p.client_id = c.client_id
                            and p.available_at <= inbox_private.clock() and p.total_files > 0
                          order by p.available_at, p.id limit p_limit) j
     where c.client_id is not null)
  select t.id, t.dispatch, t.turn from turns t order by t.turn, t.available_at, t.id limit p_limit;
$$;

create or replace function public.inbox_pending_jobs(p_running integer default 100) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('job_id', n.id, 'dispatch', n.dispatch) order by n.at), '[]')
    from (select id, dispatch, row_number() over () as at from inbox_private.next_jobs(
            greatest(0, least(p_running, 500) - (select count(*)::integer from public.inbox_jobs where status = 'processing')))) n;
$$;

-- As before, but in turn: candidates first, then the first of them that nobody else is taking.
create or replace function public.inbox_claim_job(
  p_job_id uuid, p_owner text, p_lease_seconds double precision, p_flow_run_id uuid default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := inbox_private.clock();
  v_ids uuid[];
  j public.inbox_jobs;
begin
  -- Between the look and the update others may take every candidate: look again.
  for v_try in 1 .. 20 loop
    if p_job_id is null then
      select array_agg(id) into v_ids from inbox_private.next_jobs(16);
      exit when v_ids is null;
    end if;
    update public.inbox_jobs
       set status = 'processing', attempt = attempt + 1, lost_dispatches = 0,
           lease_token = nextval('inbox_private.lease_token'), lease_owner = p_owner,
           lease_expires_at = v_now + make_interval(secs => p_lease_seconds), started_at = coalesce(started_at, v_now)
     where status = 'pending' and total_files > 0 and id = coalesce(p_job_id, (
             select c.id from public.inbox_jobs c
              where c.id = any (v_ids) and c.status = 'pending'
              order by array_position(v_ids, c.id) limit 1 for update skip locked))
    returning * into j;
    if found then
      insert into public.inbox_attempts (token, job_id, attempt, owner, flow_run_id)
      values (j.lease_token, j.id, j.attempt, p_owner, p_flow_run_id);
      return inbox_private.lease(j);
    end if;
    exit when p_job_id is not null;
  end loop;
  select * into j from public.inbox_jobs
   where id = p_job_id and status = 'processing' and lease_owner = p_owner and lease_expires_at > v_now;
  return case when found then inbox_private.lease(j) end;
end $$;

-- ---------------------------------------------------------------- what is stuck, and why

create view public.inbox_stuck with (security_invoker = true) as
select j.id as job_id, j.client_id, j.status, s.why, s.next_step,
       inbox_private.clock() - j.updated_at as quiet_for
  from public.inbox_jobs j
 cross join lateral (select
   case
     when j.status = 'pending' and j.total_files = 0 then 'no_files'
     when j.status = 'pending' and j.lost_dispatches > 0 then 'runs_end_early'
     when j.status = 'pending' and j.available_at > inbox_private.clock() then 'waiting_for_backoff'
     when j.status = 'pending' and j.available_at < inbox_private.clock() - interval '30 seconds' then 'waiting_for_worker'
     when j.status = 'processing' and j.lease_expires_at <= inbox_private.clock() then 'lease_lapsed'
     when j.status = 'processing' and j.cancel_requested_at < inbox_private.clock() - interval '30 seconds' then 'cancel_not_heard'
   end as why) w
 cross join lateral (select w.why, case w.why
     when 'no_files' then 'Add rows to inbox_files; without any the job is failed an hour after it was made.'
     when 'runs_end_early' then 'Runs for this job ended before they claimed it; look at their logs in Prefect.'
     when 'waiting_for_backoff' then 'An attempt failed; the next one starts at available_at. Look at inbox_attempts.'
     when 'waiting_for_worker' then 'No run has claimed it: is a worker running, is dispatch scheduled, are all places taken (INBOX_MAX_RUNNING_JOBS)?'
     when 'lease_lapsed' then 'Its worker fell silent; dispatch takes the job back, or call inbox_reap_jobs().'
     when 'cancel_not_heard' then 'Its worker has not reacted; when its lease lapses the job is cancelled.'
   end as next_step) s
 where w.why is not null;

create function public.inbox_stuck_jobs(p_limit integer default 50) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('job_id', job_id, 'status', status, 'why', why, 'next_step', next_step,
           'quiet_for', extract(epoch from quiet_for)) order by quiet_for desc), '[]')
    from (select * from public.inbox_stuck order by quiet_for desc limit least(greatest(p_limit, 1), 500)) s;
$$;

-- ---------------------------------------------------------------- who may call what

revoke all on all functions in schema inbox_private from public;
revoke all on public.inbox_stuck from public;
do $$
declare
  v_role text;
  v_function regprocedure;
begin
  for v_function in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                     where n.nspname = 'public' and p.proname in (
                       'inbox_reserve_submission', 'inbox_submit_reserved_job', 'inbox_abandon_submission',
                       'inbox_retry_job', 'inbox_delete_job', 'inbox_known_jobs', 'inbox_stuck_jobs') loop
    execute format('revoke all on function %s from public', v_function);
    foreach v_role in array array['anon', 'authenticated'] loop
      if exists (select from pg_roles where rolname = v_role) then
        execute format('revoke all on function %s from %I', v_function, v_role);
      end if;
    end loop;
    if exists (select from pg_roles where rolname = 'service_role') then
      execute format('grant execute on function %s to service_role', v_function);
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'anon') then
    revoke all on public.inbox_submissions, public.inbox_stuck from anon, authenticated;
  end if;
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.inbox_submissions to service_role;
    grant select on public.inbox_stuck to service_role;
    grant usage on schema inbox_private to service_role;
    grant execute on function inbox_private.clock() to service_role;
  end if;
end $$;
notify pgrst, 'reload schema';
