-- Cheaper claims and signs of life; a claim whose answer was lost is answered again; and a clock
-- that is set back delays nothing for longer than it would have waited anyway.

-- ---------------------------------------------------------------- indexes

-- Jobs at work are few, so nothing needs them by lease_expires_at; without that column in an index
-- a sign of life writes one row and no index entry, given room in the row's page.
drop index public.inbox_jobs_lease;
create index inbox_jobs_working on public.inbox_jobs (client_id, lease_owner) where status = 'processing';
alter table public.inbox_jobs set (fillfactor = 85);
alter table public.inbox_files set (fillfactor = 85);

-- ---------------------------------------------------------------- a clock that is set back

-- A row written in what is now the future: the clock went back by at least so much, and the
-- moments that were counted from then are counted from now.
create function inbox_private.keep_time() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_back interval := old.updated_at - inbox_private.clock();
begin
  if new.lease_expires_at = old.lease_expires_at then
    new.lease_expires_at := old.lease_expires_at - v_back;
  end if;
  if new.available_at = old.available_at then
    new.available_at := old.available_at - v_back;
  end if;
  return new;
end $$;
create trigger guard_clock before update on public.inbox_jobs
  for each row when (old.updated_at > inbox_private.clock()) execute function inbox_private.keep_time();

create function inbox_private.no_negative_time() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.processing_time := 0;
  return new;
end $$;
create trigger guard_clock before update on public.inbox_files
  for each row when (new.processing_time < 0) execute function inbox_private.no_negative_time();

create or replace function inbox_private.extend(p_job_id uuid, p_lease_seconds double precision) returns text
language sql set search_path = '' as $$
  update public.inbox_jobs
     set lease_expires_at = greatest(lease_expires_at - greatest(updated_at - inbox_private.clock(), interval '0'),
                                     inbox_private.clock() + make_interval(secs => p_lease_seconds))
   where id = p_job_id
  returning case when cancel_requested_at is null then 'ok' else 'cancel' end;
$$;

-- Return jobs whose lease has lapsed, and close jobs that never got a file. Anyone may call it,
-- any number at once. Answers how many jobs it moved.
create or replace function public.inbox_reap_jobs(p_limit integer default 100) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  j public.inbox_jobs;
  v_count integer := 0;
begin
  -- An update of any kind lets guard_clock do the rest.
  update public.inbox_jobs set updated_at = updated_at where id in (
    select id from public.inbox_jobs where status = 'processing' and updated_at > inbox_private.clock()
     limit p_limit for update skip locked);
  update public.inbox_jobs set updated_at = updated_at where id in (
    select id from public.inbox_jobs where status = 'pending' and available_at > inbox_private.clock()
       and updated_at > inbox_private.clock() limit p_limit for update skip locked);
  for j in select * from public.inbox_jobs
            where status = 'processing' and lease_expires_at <= inbox_private.clock()
            order by lease_expires_at limit p_limit for update skip locked loop
    perform inbox_private.end_attempt(j.id, 'lapsed', true, true, inbox_private.backoff(j.charged_attempts));
    v_count := v_count + 1;
  end loop;
  for j in select * from public.inbox_jobs
            where status = 'pending' and total_files = 0 and created_at < inbox_private.clock() - interval '1 hour'
            limit p_limit for update skip locked loop
    perform inbox_private.close_job(j.id);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- Answers {state: new | in_flight | done, job_id, request_sha256}. The caller that is told new
-- stores the files under that job id and then submits with the key. A reservation that lasts
-- far longer than one can was made before the clock was set back.
create or replace function public.inbox_reserve_submission(
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
   where old.reserved_until <= v_now or old.reserved_until > v_now + 2 * make_interval(secs => p_seconds)
      or old.job_id = excluded.job_id and old.request_sha256 is null
  returning * into s;
  if found then
    return jsonb_build_object('state', 'new', 'job_id', s.job_id, 'request_sha256', null);
  end if;
  select * into s from public.inbox_submissions where client_id = p_client_id and idempotency_key = p_key;
  return jsonb_build_object('state', case when s.request_sha256 is null then 'in_flight' else 'done' end,
                            'job_id', s.job_id, 'request_sha256', s.request_sha256);
end $$;

-- ---------------------------------------------------------------- claims

-- Take this pending job, or the next in turn; null where there is none. p_owner names the caller
-- and this claim: asked again under the same name, because the answer was lost, it answers with
-- the lease that name has.
create or replace function public.inbox_claim_job(
  p_job_id uuid, p_owner text, p_lease_seconds double precision, p_flow_run_id uuid default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := inbox_private.clock();
  v_ids uuid[];
  j public.inbox_jobs;
begin
  if p_job_id is null then
    -- The first call may still be under way: wait for its end.
    perform pg_advisory_xact_lock(hashtextextended(p_owner, 0));
    select * into j from public.inbox_jobs
     where status = 'processing' and lease_owner = p_owner and lease_expires_at > v_now order by lease_token limit 1;
    if found then return inbox_private.lease(j); end if;
  end if;
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

revoke all on all functions in schema inbox_private from public;
notify pgrst, 'reload schema';
