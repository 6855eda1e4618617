-- The verbs. Every change of a job goes through one of these functions; every write of a
-- worker names its lease (job, token) and is refused once that lease has lapsed or passed on.
-- Each may be called again with the same arguments: a caller that lost the answer asks again.

-- ---------------------------------------------------------------- what a reader sees

create function inbox_private.job_result(p_job_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'total_files', j.total_files,
    'successful', count(f.id) filter (where f.status = 'completed'),
    'failed', count(f.id) filter (where f.status = 'failed'),
    'processing_time', round(extract(epoch from coalesce(j.finished_at, inbox_private.clock()) - j.started_at)::numeric, 3),
    'results', coalesce(jsonb_agg(jsonb_build_object(
      'file_id', f.id, 'number', f.number, 'filename', f.name, 'status', f.status,
      'label', f.label, 'confidence', f.confidence, 'evidence', f.evidence,
      'needs_review', f.needs_review, 'review_reasons', f.review_reasons,
      'alternatives', f.alternatives, 'classifier', f.classifier, 'media_type', f.media_type,
      'size', f.size_bytes, 'pages', f.pages, 'ocr_pages', f.ocr_pages,
      'text_length', f.text_length, 'processing_time', f.processing_time,
      'error_code', f.error_code, 'error_message', f.error_message) order by f.number)
      filter (where f.id is not null), '[]'))
    from public.inbox_jobs j left join public.inbox_files f on f.job_id = j.id
   where j.id = p_job_id group by j.id;
$$;

create function inbox_private.job_summary(j public.inbox_jobs) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'job_id', j.id, 'status', j.status, 'progress', j.progress, 'created_at', j.created_at,
    'updated_at', j.updated_at, 'total_files', j.total_files,
    'processed_files', j.processed_files, 'error', j.error);
$$;

-- One job with its files, or null. p_client_id null sees every client's.
create function public.inbox_job_view(p_job_id uuid, p_client_id text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select inbox_private.job_summary(j) || jsonb_build_object(
    'started_at', j.started_at, 'finished_at', j.finished_at, 'attempt', j.attempt,
    'cancel_requested', j.cancel_requested_at is not null,
    'result', case when j.result is not null then j.result
                   when j.processed_files > 0 then inbox_private.job_result(j.id) end)
    from public.inbox_jobs j
   where j.id = p_job_id and (p_client_id is null or j.client_id = p_client_id);
$$;

-- Newest first; the next page starts below the last row's (created_at, job_id).
create function public.inbox_list_jobs(
  p_client_id text default null, p_status text default null, p_before_created_at timestamptz default null,
  p_before_id uuid default null, p_limit integer default 50) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(inbox_private.job_summary(j) order by j.created_at desc, j.id desc), '[]')
    from (select * from public.inbox_jobs
           where (p_client_id is null or client_id = p_client_id)
             and (p_status is null or status = p_status)
             and (p_before_created_at is null or (created_at, id) < (p_before_created_at, p_before_id))
           order by created_at desc, id desc limit least(greatest(p_limit, 1), 500)) j;
$$;

-- ---------------------------------------------------------------- submit

create function public.inbox_submit_job(
  p_job_id uuid, p_files jsonb, p_labels jsonb default null, p_client_id text default 'local',
  p_max_attempts integer default 5) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_owner text;
begin
  if jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) not between 1 and 10000 then
    raise exception 'a job has 1 to 10000 files' using errcode = '22023', detail = 'no_files';
  end if;
  insert into public.inbox_jobs (id, client_id, labels, max_attempts)
  values (p_job_id, p_client_id, p_labels, p_max_attempts) on conflict (id) do nothing;
  if found then
    insert into public.inbox_files (job_id, number, name, storage_key, sha256, size_bytes)
    select p_job_id, f.n, f.item->>'name', f.item->>'storage_key', f.item->>'sha256', (f.item->>'size_bytes')::bigint
      from jsonb_array_elements(p_files) with ordinality as f (item, n);
  else
    select client_id into v_owner from public.inbox_jobs where id = p_job_id;
    if v_owner <> p_client_id then
      raise exception 'this job id is taken' using errcode = '22023', detail = 'invalid_request';
    end if;
  end if;
  return public.inbox_job_view(p_job_id);
end $$;

-- ---------------------------------------------------------------- dispatch

-- Jobs that wait for a run, oldest first: as many as bring those at work to p_running. One run
-- is started for each (job_id, dispatch).
create function public.inbox_pending_jobs(p_running integer default 100) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('job_id', id, 'dispatch', dispatch) order by available_at, id), '[]')
    from (select id, dispatch, available_at from public.inbox_jobs
           where status = 'pending' and available_at <= inbox_private.clock() and total_files > 0
           order by available_at, id limit greatest(0, least(p_running, 500) - (
             select count(*) from public.inbox_jobs where status = 'processing'))) j;
$$;

-- The run of this dispatch ended without a claim: let dispatch start another, later each time,
-- and give up after ten, so that a flow that cannot even start is not started for ever.
create function public.inbox_redispatch_job(p_job_id uuid, p_dispatch integer) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_lost integer;
begin
  update public.inbox_jobs
     set dispatch = dispatch + 1, lost_dispatches = lost_dispatches + 1,
         available_at = inbox_private.clock() + least(interval '5 minutes', interval '1 second' * power(2, lost_dispatches))
   where id = p_job_id and dispatch = p_dispatch and status = 'pending'
  returning lost_dispatches into v_lost;
  if v_lost >= 10 then
    perform inbox_private.fail_open_files(p_job_id, 'never_started', 'Ten runs were started for this job and none got as far as claiming it; the runs'' logs in Prefect say why.');
    perform inbox_private.close_job(p_job_id);
  end if;
  return v_lost is not null;
end $$;

-- ---------------------------------------------------------------- leases

create function inbox_private.lease(j public.inbox_jobs) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'job_id', j.id, 'token', j.lease_token, 'attempt', j.attempt, 'expires_at', j.lease_expires_at,
    'one_at_a_time', j.charged_attempts > 0, 'labels', j.labels,
    'files', (select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'number', f.number, 'name', f.name,
                'blob', jsonb_build_object('key', f.storage_key, 'sha256', f.sha256, 'size', f.size_bytes)) order by f.number), '[]')
                from public.inbox_files f where f.job_id = j.id and f.finished_at is null));
$$;

-- Take this pending job, or the one that has waited longest; null where there is none.
create function public.inbox_claim_job(
  p_job_id uuid, p_owner text, p_lease_seconds double precision, p_flow_run_id uuid default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := inbox_private.clock();
  j public.inbox_jobs;
begin
  update public.inbox_jobs
     set status = 'processing', attempt = attempt + 1, lost_dispatches = 0,
         lease_token = nextval('inbox_private.lease_token'), lease_owner = p_owner,
         lease_expires_at = v_now + make_interval(secs => p_lease_seconds), started_at = coalesce(started_at, v_now)
   where status = 'pending' and id = coalesce(p_job_id, (
           select id from public.inbox_jobs
            where status = 'pending' and available_at <= v_now and total_files > 0
            order by available_at, id limit 1 for update skip locked))
     and total_files > 0
  returning * into j;
  if found then
    insert into public.inbox_attempts (token, job_id, attempt, owner, flow_run_id)
    values (j.lease_token, j.id, j.attempt, p_owner, p_flow_run_id);
    return inbox_private.lease(j);
  end if;
  -- The same owner asks again: its claim was committed and the answer lost.
  select * into j from public.inbox_jobs
   where id = p_job_id and status = 'processing' and lease_owner = p_owner and lease_expires_at > v_now;
  return case when found then inbox_private.lease(j) end;
end $$;

-- The token of the lease that this flow run holds, or null: for hooks that run in another process.
create function public.inbox_token_of_run(p_job_id uuid, p_flow_run_id uuid) returns bigint
language sql stable security definer set search_path = '' as $$
  select a.token from public.inbox_attempts a join public.inbox_jobs j on j.lease_token = a.token
   where a.job_id = p_job_id and a.flow_run_id = p_flow_run_id;
$$;

-- Lock the job row for a holder; false where the lease is not (or no longer) the caller's.
create function inbox_private.hold(p_job_id uuid, p_token bigint) returns boolean
language plpgsql set search_path = '' as $$
begin
  perform from public.inbox_jobs
    where id = p_job_id and status = 'processing' and lease_token = p_token
      and lease_expires_at > inbox_private.clock() for update;
  return found;
end $$;

create function inbox_private.extend(p_job_id uuid, p_lease_seconds double precision) returns text
language sql set search_path = '' as $$
  update public.inbox_jobs
     set lease_expires_at = greatest(lease_expires_at, inbox_private.clock() + make_interval(secs => p_lease_seconds))
   where id = p_job_id
  returning case when cancel_requested_at is null then 'ok' else 'cancel' end;
$$;

create function public.inbox_heartbeat(p_job_id uuid, p_token bigint, p_lease_seconds double precision) returns text
language plpgsql security definer set search_path = '' as $$
begin
  if not inbox_private.hold(p_job_id, p_token) then return 'lost'; end if;
  return inbox_private.extend(p_job_id, p_lease_seconds);
end $$;

-- ---------------------------------------------------------------- files

create function public.inbox_start_file(
  p_job_id uuid, p_token bigint, p_file_id uuid, p_lease_seconds double precision) returns text
language plpgsql security definer set search_path = '' as $$
begin
  if not inbox_private.hold(p_job_id, p_token) then return 'lost'; end if;
  update public.inbox_files
     set status = 'processing', lease_token = p_token, started_at = inbox_private.clock()
   where id = p_file_id and job_id = p_job_id and status = 'pending';
  return inbox_private.extend(p_job_id, p_lease_seconds);
end $$;

-- Write one file's outcome. The first outcome stands: asking again changes nothing.
create function public.inbox_record_file(
  p_job_id uuid, p_token bigint, p_file_id uuid, p_outcome jsonb, p_lease_seconds double precision) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := inbox_private.clock();
begin
  if p_outcome->>'status' is null or p_outcome->>'status' not in ('completed', 'failed') then
    raise exception 'the outcome of a file is completed or failed' using errcode = '22023', detail = 'invalid_request';
  end if;
  if not inbox_private.hold(p_job_id, p_token) then return 'lost'; end if;
  update public.inbox_files f
     set status = p_outcome->>'status', lease_token = p_token, finished_at = v_now,
         started_at = coalesce(started_at, v_now),
         label = p_outcome->>'label', confidence = (p_outcome->>'confidence')::double precision,
         evidence = coalesce(p_outcome->'evidence', '[]'), alternatives = coalesce(p_outcome->'alternatives', '[]'),
         needs_review = coalesce((p_outcome->>'needs_review')::boolean, false),
         review_reasons = coalesce(p_outcome->'review_reasons', '[]'), classifier = p_outcome->>'classifier',
         media_type = p_outcome->>'media_type', pages = (p_outcome->>'pages')::integer,
         ocr_pages = (p_outcome->>'ocr_pages')::integer, text_length = (p_outcome->>'text_length')::integer,
         error_code = p_outcome->>'error_code', error_message = left(p_outcome->>'error_message', 2000),
         processing_time = extract(epoch from v_now - coalesce(started_at, v_now))
   where f.id = p_file_id and f.job_id = p_job_id and f.finished_at is null;
  if found then
    update public.inbox_jobs
       set processed_files = processed_files + 1,
           progress = greatest(progress, 100 * (processed_files + 1) / total_files)
     where id = p_job_id;
  end if;
  return inbox_private.extend(p_job_id, p_lease_seconds);
end $$;

-- ---------------------------------------------------------------- the end of an attempt

create function inbox_private.fail_open_files(p_job_id uuid, p_code text, p_message text) returns void
language sql set search_path = '' as $$
  with failed as (
    update public.inbox_files set status = 'failed', error_code = p_code, error_message = p_message,
           finished_at = inbox_private.clock()
     where job_id = p_job_id and finished_at is null returning 1)
  update public.inbox_jobs
     set processed_files = processed_files + n.failed,
         progress = case when total_files = 0 then 0 else greatest(progress, 100 * (processed_files + n.failed) / total_files) end
    from (select count(*)::integer as failed from failed) n where id = p_job_id;
$$;

-- Close a job from the state of its files, all of which are over.
create function inbox_private.close_job(p_job_id uuid) returns text
language plpgsql set search_path = '' as $$
declare
  v_status text;
  v_error jsonb;
  v_codes text;
begin
  select case when count(*) filter (where status = 'cancelled') > 0 then 'cancelled'
              when count(*) filter (where status = 'completed') > 0 then 'completed' else 'failed' end,
         string_agg(distinct error_code, ', ')
    into v_status, v_codes from public.inbox_files where job_id = p_job_id;
  if v_status = 'failed' then
    v_error := case when v_codes is null
      then jsonb_build_object('code', 'no_files', 'message', 'The job has no files.')
      else jsonb_build_object('code', 'all_files_failed', 'message', 'No file could be processed: ' || v_codes || '.') end;
  end if;
  update public.inbox_attempts a set ended_at = inbox_private.clock(), outcome = v_status
    from public.inbox_jobs j where j.id = p_job_id and a.token = j.lease_token;
  update public.inbox_jobs
     set status = v_status, error = v_error, finished_at = inbox_private.clock(),
         result = inbox_private.job_result(p_job_id), lease_token = null, lease_owner = null, lease_expires_at = null
   where id = p_job_id;
  return v_status;
end $$;

create function inbox_private.cancel_open_files(p_job_id uuid) returns void
language sql set search_path = '' as $$
  update public.inbox_files set status = 'cancelled', finished_at = inbox_private.clock()
   where job_id = p_job_id and finished_at is null;
$$;

-- The attempt is over and files may be open: close the job where it can be closed, else hand it
-- back. p_blame: the files that were being worked on took their worker down with them.
create function inbox_private.end_attempt(
  p_job_id uuid, p_outcome text, p_charged boolean, p_blame boolean, p_delay_seconds double precision) returns text
language plpgsql set search_path = '' as $$
declare
  j public.inbox_jobs;
begin
  if p_blame then
    with quarantined as (
      update public.inbox_files set status = 'failed', crash_count = crash_count + 1, finished_at = inbox_private.clock(),
             error_code = 'crashed_worker_twice', error_message = 'Two workers died while they worked on this file.'
       where job_id = p_job_id and status = 'processing' and crash_count >= 1 returning 1)
    update public.inbox_jobs
       set processed_files = processed_files + n.added,
           progress = greatest(progress, 100 * (processed_files + n.added) / total_files)
      from (select count(*)::integer as added from quarantined) n where id = p_job_id;
  end if;
  update public.inbox_files set status = 'pending', crash_count = crash_count + p_blame::integer
   where job_id = p_job_id and status = 'processing';
  update public.inbox_jobs set charged_attempts = charged_attempts + p_charged::integer where id = p_job_id returning * into j;
  if j.cancel_requested_at is not null then
    perform inbox_private.cancel_open_files(p_job_id);
  elsif j.charged_attempts >= j.max_attempts then
    perform inbox_private.fail_open_files(p_job_id, 'job_out_of_attempts', 'The job used up its attempts before this file was done.');
  end if;
  if not exists (select from public.inbox_files where job_id = p_job_id and finished_at is null) then
    return inbox_private.close_job(p_job_id);
  end if;
  update public.inbox_attempts set ended_at = inbox_private.clock(), outcome = p_outcome where token = j.lease_token;
  update public.inbox_jobs
     set status = 'pending', dispatch = dispatch + 1, lease_token = null, lease_owner = null, lease_expires_at = null,
         available_at = inbox_private.clock() + make_interval(secs => p_delay_seconds)
   where id = p_job_id;
  return 'pending';
end $$;

-- Seconds before the next attempt: 2, 4, 8 … at most 300, the upper half of it by chance.
create function inbox_private.backoff(p_charged integer) returns double precision
language sql volatile set search_path = '' as $$
  select least(300, 2 * power(2, p_charged)) * (0.5 + random() / 2);
$$;

-- Close the job. Answers its status; 'processing' while files are open; 'lost' without the lease.
create function public.inbox_finish_job(p_job_id uuid, p_token bigint) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_outcome text;
begin
  if not inbox_private.hold(p_job_id, p_token) then
    select outcome into v_outcome from public.inbox_attempts where token = p_token and job_id = p_job_id
       and outcome in ('completed', 'failed', 'cancelled');
    return coalesce(v_outcome, 'lost');
  end if;
  if exists (select from public.inbox_jobs where id = p_job_id and cancel_requested_at is not null) then
    perform inbox_private.cancel_open_files(p_job_id);
  end if;
  if exists (select from public.inbox_files where job_id = p_job_id and finished_at is null) then
    return 'processing';
  end if;
  return inbox_private.close_job(p_job_id);
end $$;

-- Hand the job back. p_charged: this attempt counts against max_attempts (the run failed);
-- p_crashed: its process died, so the files it was working on are suspects.
create function public.inbox_release_job(
  p_job_id uuid, p_token bigint, p_charged boolean default false, p_crashed boolean default false) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_outcome text;
  v_charged integer;
begin
  if not inbox_private.hold(p_job_id, p_token) then
    select case when outcome in ('released', 'crashed') then 'pending' else outcome end into v_outcome
      from public.inbox_attempts where token = p_token and job_id = p_job_id and outcome <> 'lapsed';
    return coalesce(v_outcome, 'lost');
  end if;
  select charged_attempts into v_charged from public.inbox_jobs where id = p_job_id;
  return inbox_private.end_attempt(
    p_job_id, case when p_crashed then 'crashed' else 'released' end, p_charged or p_crashed, p_crashed,
    case when p_charged or p_crashed then inbox_private.backoff(v_charged) else 0 end);
end $$;

-- Return jobs whose lease has lapsed, and close jobs that never got a file. Anyone may call it,
-- any number at once. Answers how many jobs it moved.
create function public.inbox_reap_jobs(p_limit integer default 100) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  j public.inbox_jobs;
  v_count integer := 0;
begin
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

-- Cancel: at once while the job waits; while it runs, its worker is told at the next sign of life.
create function public.inbox_cancel_job(p_job_id uuid, p_client_id text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  j public.inbox_jobs;
begin
  select * into j from public.inbox_jobs
   where id = p_job_id and (p_client_id is null or client_id = p_client_id) for update;
  if j.status in ('pending', 'processing') then
    update public.inbox_jobs set cancel_requested_at = coalesce(cancel_requested_at, inbox_private.clock()) where id = j.id;
    if j.status = 'pending' then
      perform inbox_private.cancel_open_files(j.id);
      perform inbox_private.close_job(j.id);
    end if;
  end if;
  return public.inbox_job_view(p_job_id, p_client_id);
end $$;

-- ---------------------------------------------------------------- who may call what

revoke all on schema inbox_private from public;
revoke all on all functions in schema inbox_private from public;
do $$
declare
  v_role text;
  v_function regprocedure;
begin
  for v_function in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                     where n.nspname = 'public' and p.proname like 'inbox\_%' loop
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
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.inbox_jobs, public.inbox_files, public.inbox_attempts to service_role;
  end if;
end $$;
notify pgrst, 'reload schema';
