-- What a caller may ask of a job, what a step may say of a file beyond its label, files that were
-- found inside other files, and what a person said about a label.

alter table public.inbox_jobs
  add column options jsonb not null default '{}' check (jsonb_typeof(options) = 'object'),
  add column sealed text check (char_length(sealed) <= 65536);
comment on column public.inbox_jobs.sealed is 'Secrets of the job, encrypted by the service; removed when the job is over.';

alter table public.inbox_files
  add column parent_id uuid references public.inbox_files on delete cascade,
  add column details jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
  add column pages_done integer check (pages_done >= 0),
  add column pages_total integer check (pages_total >= 0),
  add column corrected_label text check (char_length(corrected_label) between 1 and 64),
  add column corrected_by text check (char_length(corrected_by) between 1 and 200),
  add column corrected_at timestamptz,
  add constraint correction_is_whole check (
    (corrected_label is null) = (corrected_at is null) and (corrected_label is null) = (corrected_by is null)),
  add constraint only_completed_files_are_corrected check (corrected_label is null or status = 'completed');
create index inbox_files_parent on public.inbox_files (parent_id) where parent_id is not null;

create or replace function inbox_private.job_result(p_job_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'total_files', j.total_files,
    'successful', count(f.id) filter (where f.status = 'completed'),
    'failed', count(f.id) filter (where f.status = 'failed'),
    'processing_time', round(extract(epoch from coalesce(j.finished_at, inbox_private.clock()) - j.started_at)::numeric, 3),
    'results', coalesce(jsonb_agg(jsonb_build_object(
      'file_id', f.id, 'number', f.number, 'parent_id', f.parent_id, 'filename', f.name, 'status', f.status,
      'label', f.label, 'confidence', f.confidence, 'evidence', f.evidence,
      'needs_review', f.needs_review, 'review_reasons', f.review_reasons,
      'alternatives', f.alternatives, 'classifier', f.classifier, 'media_type', f.media_type,
      'size', f.size_bytes, 'pages', f.pages, 'ocr_pages', f.ocr_pages,
      'text_length', f.text_length, 'processing_time', f.processing_time, 'details', f.details,
      'pages_done', f.pages_done, 'pages_total', f.pages_total)
      || jsonb_build_object(
      'corrected_label', f.corrected_label, 'corrected_by', f.corrected_by, 'corrected_at', f.corrected_at,
      'error_code', f.error_code, 'error_message', f.error_message) order by f.number)
      filter (where f.id is not null), '[]'))
    from public.inbox_jobs j left join public.inbox_files f on f.job_id = j.id
   where j.id = p_job_id group by j.id;
$$;

create or replace function public.inbox_job_view(p_job_id uuid, p_client_id text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select inbox_private.job_summary(j) || jsonb_build_object(
    'started_at', j.started_at, 'finished_at', j.finished_at, 'attempt', j.attempt,
    'cancel_requested', j.cancel_requested_at is not null, 'options', j.options,
    'result', case when j.result is not null then j.result
                   when j.processed_files > 0 then inbox_private.job_result(j.id) end)
    from public.inbox_jobs j
   where j.id = p_job_id and (p_client_id is null or j.client_id = p_client_id);
$$;

create or replace function inbox_private.lease(j public.inbox_jobs) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'job_id', j.id, 'token', j.lease_token, 'attempt', j.attempt, 'expires_at', j.lease_expires_at,
    'one_at_a_time', j.charged_attempts > 0, 'labels', j.labels, 'client_id', j.client_id,
    'options', j.options, 'sealed', j.sealed,
    'files', (select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'number', f.number, 'name', f.name,
                'parent_id', f.parent_id,
                'blob', jsonb_build_object('key', f.storage_key, 'sha256', f.sha256, 'size', f.size_bytes)) order by f.number), '[]')
                from public.inbox_files f where f.job_id = j.id and f.finished_at is null));
$$;

create or replace function public.inbox_record_file(
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
         details = coalesce(p_outcome->'details', '{}'),
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

-- ---------------------------------------------------------------- submitting with options

-- A user's options, by the rules of the HTTP API: known names, values of the right kind.
create function inbox_private.checked_options(p_options jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_name text;
  v_value jsonb;
begin
  if p_options is null or p_options = 'null' then
    return '{}';
  end if;
  if jsonb_typeof(p_options) <> 'object' or octet_length(p_options::text) > 16384 then
    perform inbox_private.refuse('invalid_request', 'options are an object of 16384 bytes at most');
  end if;
  for v_name, v_value in select * from jsonb_each(p_options) loop
    if not coalesce(case v_name
      when 'languages' then jsonb_typeof(v_value) = 'string' and v_value #>> '{}' ~ '^[a-zA-Z_]{2,20}(\+[a-zA-Z_]{2,20}){0,9}$'
      when 'ladder' then v_value #>> '{}' in ('fast', 'balanced', 'thorough')
      when 'label_set' then jsonb_typeof(v_value) = 'string' and char_length(v_value #>> '{}') between 1 and 64
      when 'fields' then jsonb_typeof(v_value) = 'array' and jsonb_array_length(v_value) <= 50
      when 'budget' then jsonb_typeof(v_value) = 'number' and (v_value #>> '{}')::numeric >= 0
      when 'redact' then jsonb_typeof(v_value) = 'boolean'
      when 'split' then jsonb_typeof(v_value) = 'boolean'
      when 'unpack' then jsonb_typeof(v_value) = 'boolean'
    end, false) then
      perform inbox_private.refuse('invalid_request', format('option %s is unknown or has a value that cannot be used', left(v_name, 64)));
    end if;
  end loop;
  return p_options;
end $$;

drop function public.inbox_submit_reserved_job(uuid, jsonb, jsonb, text, integer, text, text);
drop function public.inbox_submit_job(uuid, jsonb, jsonb, text, integer);

create function public.inbox_submit_job(
  p_job_id uuid, p_files jsonb, p_labels jsonb default null, p_client_id text default 'local',
  p_max_attempts integer default 5, p_options jsonb default null, p_sealed text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_user uuid := inbox_private.requester();
  v_organisation text;
  v_owner text;
begin
  if v_user is not null then
    if p_job_id is null then
      perform inbox_private.refuse('invalid_request', 'the job needs an id of your choice, a random uuid');
    end if;
    p_files := inbox_private.checked_files(p_files, v_user);
    p_labels := inbox_private.checked_labels(p_labels);
    p_options := inbox_private.checked_options(p_options);
    p_sealed := null;
    p_client_id := v_user::text;
    p_max_attempts := 5;
    v_organisation := nullif(current_setting('request.jwt.claims', true)::jsonb -> 'app_metadata' ->> 'organisation_id', '');
  elsif jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) not between 1 and 10000 then
    raise exception 'a job has 1 to 10000 files' using errcode = '22023', detail = 'no_files';
  end if;
  insert into public.inbox_jobs (id, client_id, labels, max_attempts, owner_id, organisation_id, options, sealed)
  values (p_job_id, p_client_id, p_labels, p_max_attempts, v_user, v_organisation, coalesce(p_options, '{}'), p_sealed)
  on conflict (id) do nothing;
  if found then
    insert into public.inbox_files (job_id, number, name, storage_key, sha256, size_bytes)
    select p_job_id, f.n, f.item->>'name', f.item->>'storage_key', f.item->>'sha256', (f.item->>'size_bytes')::bigint
      from jsonb_array_elements(p_files) with ordinality as f (item, n);
  else
    select client_id into v_owner from public.inbox_jobs where id = p_job_id and owner_id is not distinct from v_user;
    if v_owner is distinct from p_client_id then
      raise exception 'this job id is taken' using errcode = '22023', detail = 'invalid_request';
    end if;
  end if;
  return public.inbox_job_view(p_job_id);
end $$;

create function public.inbox_submit_reserved_job(
  p_job_id uuid, p_files jsonb, p_labels jsonb, p_client_id text, p_max_attempts integer,
  p_key text, p_request_sha256 text, p_options jsonb default null, p_sealed text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  update public.inbox_submissions set request_sha256 = p_request_sha256, reserved_until = null
   where client_id = p_client_id and idempotency_key = p_key and job_id = p_job_id
     and coalesce(request_sha256, p_request_sha256) = p_request_sha256;
  if not found then
    raise exception 'this Idempotency-Key was taken over by another request' using errcode = '22023', detail = 'idempotency_conflict';
  end if;
  return public.inbox_submit_job(p_job_id, p_files, p_labels, p_client_id, p_max_attempts, p_options, p_sealed);
end $$;

-- ---------------------------------------------------------------- who may call and see what

revoke all on function inbox_private.checked_options(jsonb) from public;
do $do$
declare
  v_function regprocedure;
  v_role text;
begin
  for v_function in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                     where n.nspname = 'public' and p.proname in ('inbox_submit_job', 'inbox_submit_reserved_job') loop
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
  if to_regprocedure('auth.uid()') is not null and exists (select from pg_roles where rolname = 'authenticated') then
    grant execute on function public.inbox_submit_job(uuid, jsonb, jsonb, text, integer, jsonb, text) to authenticated;
    grant select (options) on public.inbox_jobs to authenticated;
    grant select (parent_id, details, pages_done, pages_total, corrected_label, corrected_by, corrected_at)
      on public.inbox_files to authenticated;
  end if;
end $do$;
notify pgrst, 'reload schema';
