-- What a Supabase project adds: users who sign in, submit through the HTTP API and watch their
-- own rows; a bucket for the bytes; Realtime. On a plain Postgres, whose roles and schemas are
-- others, only the columns and the function change.

-- ---------------------------------------------------------------- whose job it is

-- owner_id is the user who submitted the job (auth.uid()); null where a server did.
-- organisation_id is that user's app_metadata.organisation_id at that time: its other members
-- may read the job. Users cannot write their app_metadata; their user_metadata they can.
alter table public.inbox_jobs
  add column owner_id uuid,
  add column organisation_id text,
  add constraint organisation_is_named check (char_length(organisation_id) between 1 and 200),
  add constraint organisation_has_owner check (organisation_id is null or owner_id is not null);
create index inbox_jobs_owner on public.inbox_jobs (owner_id, created_at desc) where owner_id is not null;
create index inbox_jobs_organisation on public.inbox_jobs (organisation_id, created_at desc)
  where organisation_id is not null;

create function inbox_private.guard_owner() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception 'owner_id and organisation_id of a job never change' using errcode = '23514';
end $$;
create trigger guard_owner before update of owner_id, organisation_id on public.inbox_jobs
  for each row when ((new.owner_id, new.organisation_id) is distinct from (old.owner_id, old.organisation_id))
  execute function inbox_private.guard_owner();

-- What one job of a user may bring. Change it with an update, as the owner of the database.
create table inbox_private.user_limits (
  only_row       boolean primary key default true check (only_row),
  max_files      integer not null default 500 check (max_files between 1 and 10000),
  max_file_bytes bigint not null default 52428800 check (max_file_bytes > 0),
  max_job_bytes  bigint not null default 524288000 check (max_job_bytes >= max_file_bytes)
);
insert into inbox_private.user_limits default values;
alter table inbox_private.user_limits enable row level security;

-- ---------------------------------------------------------------- who is asking

-- The signed-in user who calls; null for a server (service_role, or the database's own roles).
-- Whoever is not known as a server is a user, and without a token is refused.
create function inbox_private.requester() returns uuid
language plpgsql stable set search_path = '' as $$
declare
  v_role name := coalesce(nullif(current_setting('role', true), 'none'), session_user);
  v_user uuid;
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'service_role') then
    return null;
  end if;
  if pg_catalog.pg_has_role(v_role, 'service_role', 'usage')
     or pg_catalog.pg_has_role(v_role, (select relowner from pg_catalog.pg_class where oid = 'public.inbox_jobs'::regclass), 'usage') then
    return null;
  end if;
  v_user := (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
  if v_user is null then
    raise exception 'sign in first' using errcode = '42501';
  end if;
  return v_user;
end $$;

create function inbox_private.refuse(p_code text, p_message text) returns void
language plpgsql set search_path = '' as $$
begin
  raise exception '%', p_message using errcode = '22023', detail = p_code;
end $$;

-- Bytes of an upload: -1 where there is none; null where no Storage is here to ask.
do $do$
begin
  if to_regclass('storage.objects') is not null then
    execute $sql$
      create function inbox_private.uploaded_size(p_key text) returns bigint
      language sql stable set search_path = '' as $$
        select coalesce((select (metadata ->> 'size')::bigint from storage.objects
                          where bucket_id = 'inbox' and name = p_key), -1) $$ $sql$;
  else
    execute $sql$
      create function inbox_private.uploaded_size(p_key text) returns bigint
      language sql stable set search_path = '' as $$ select null::bigint $$ $sql$;
  end if;
end $do$;

-- A user's list of labels as [{name, description}], by the rules of the HTTP API.
create function inbox_private.checked_labels(p_labels jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_item jsonb;
  v_number bigint;
  v_name text;
  v_description text;
  v_seen text[] := '{}';
  v_labels jsonb := '[]';
begin
  if p_labels is null or p_labels = 'null' then
    return null;
  end if;
  if jsonb_typeof(p_labels) <> 'array' or jsonb_array_length(p_labels) not between 2 and 200 then
    perform inbox_private.refuse('invalid_labels', '2 to 200 labels are needed');
  end if;
  for v_item, v_number in select * from jsonb_array_elements(p_labels) with ordinality loop
    if jsonb_typeof(v_item) = 'string' then
      v_item := jsonb_build_object('name', v_item);
    end if;
    if jsonb_typeof(v_item) <> 'object' or jsonb_typeof(v_item -> 'name') is distinct from 'string'
       or coalesce(jsonb_typeof(v_item -> 'description'), 'null') not in ('string', 'null')
       or v_item - 'name' - 'description' <> '{}' then
      perform inbox_private.refuse('invalid_labels', format('label %s must be a name or an object with name and description', v_number));
    end if;
    v_name := btrim(v_item ->> 'name', E' \t\n\r');
    v_description := btrim(regexp_replace(coalesce(v_item ->> 'description', ''), '\s+', ' ', 'g'));
    if char_length(v_name) not between 1 and 64 or v_name !~ '[[:alnum:]]' or v_name ~ '[[:cntrl:]]'
       or char_length(v_description) > 1000 or lower(v_name) = any (v_seen) then
      perform inbox_private.refuse('invalid_labels', format(
        'label %s cannot be used: a name has 1 to 64 characters and a letter or digit, a description 1000 at most, no name comes twice', v_number));
    end if;
    v_seen := v_seen || lower(v_name);
    v_labels := v_labels || jsonb_build_object('name', v_name, 'description', v_description);
  end loop;
  return v_labels;
end $$;

-- A user's list of files: names that can be shown, keys in the user's own folder, within limits.
create function inbox_private.checked_files(p_files jsonb, p_user uuid) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_limits inbox_private.user_limits;
  v_item jsonb;
  v_number bigint;
  v_key text;
  v_size bigint;
  v_total numeric := 0;
  v_files jsonb := '[]';
begin
  select * into v_limits from inbox_private.user_limits;
  if jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) = 0 then
    perform inbox_private.refuse('no_files', 'the job has no files; send at least one');
  elsif jsonb_array_length(p_files) > v_limits.max_files then
    perform inbox_private.refuse('too_many_files', format('a job may have %s files at most', v_limits.max_files));
  end if;
  for v_item, v_number in select * from jsonb_array_elements(p_files) with ordinality loop
    if jsonb_typeof(v_item) <> 'object' or jsonb_typeof(v_item -> 'name') is distinct from 'string'
       or char_length(v_item ->> 'name') not between 1 and 255
       or v_item ->> 'name' ~ '[[:cntrl:]/\\\u202a-\u202e\u2066-\u2069]' or btrim(v_item ->> 'name', ' .') = '' then
      perform inbox_private.refuse('invalid_request', format('file %s needs a name of 1 to 255 characters, without a path', v_number));
    end if;
    v_key := v_item ->> 'storage_key';
    if jsonb_typeof(v_item -> 'storage_key') is distinct from 'string' or char_length(v_key) > 1024
       or not starts_with(v_key, p_user::text || '/')
       or v_key !~ '^[a-zA-Z0-9][a-zA-Z0-9._-]*(/[a-zA-Z0-9][a-zA-Z0-9._-]*)+$' then
      perform inbox_private.refuse('invalid_request', format('file %s needs a storage_key in your own folder of the bucket', v_number));
    end if;
    if coalesce(jsonb_typeof(v_item -> 'sha256'), 'null') <> 'null' and coalesce(v_item ->> 'sha256', '') !~ '^[0-9a-f]{64}$' then
      perform inbox_private.refuse('invalid_request', format('the sha256 of file %s is not 64 lower-case hex digits', v_number));
    end if;
    v_size := inbox_private.uploaded_size(v_key);
    if v_size is null and coalesce(v_item ->> 'size_bytes', '') ~ '^[0-9]{1,15}$' then
      v_size := (v_item ->> 'size_bytes')::bigint;
    end if;
    if v_size = -1 then
      perform inbox_private.refuse('invalid_request', format('file %s is not in the bucket; upload it first', v_number));
    elsif v_size > v_limits.max_file_bytes then
      perform inbox_private.refuse('file_too_large', format('file %s is too large; one file may have %s bytes at most', v_number, v_limits.max_file_bytes));
    end if;
    v_total := v_total + coalesce(v_size, 0);
    if v_total > v_limits.max_job_bytes then
      perform inbox_private.refuse('job_too_large', format('the files together may have %s bytes at most', v_limits.max_job_bytes));
    end if;
    v_files := v_files || jsonb_build_object('name', v_item ->> 'name', 'storage_key', v_key,
      'sha256', v_item ->> 'sha256', 'size_bytes', v_size);
  end loop;
  return v_files;
end $$;

-- Submit a job. A server says whose it is. A user's job is that user's, whatever p_client_id and
-- p_max_attempts say, and its files lie in the user's own folder of the bucket.
create or replace function public.inbox_submit_job(
  p_job_id uuid, p_files jsonb, p_labels jsonb default null, p_client_id text default 'local',
  p_max_attempts integer default 5) returns jsonb
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
    p_client_id := v_user::text;
    p_max_attempts := 5;
    v_organisation := nullif(current_setting('request.jwt.claims', true)::jsonb -> 'app_metadata' ->> 'organisation_id', '');
  elsif jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) not between 1 and 10000 then
    raise exception 'a job has 1 to 10000 files' using errcode = '22023', detail = 'no_files';
  end if;
  insert into public.inbox_jobs (id, client_id, labels, max_attempts, owner_id, organisation_id)
  values (p_job_id, p_client_id, p_labels, p_max_attempts, v_user, v_organisation) on conflict (id) do nothing;
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

-- ---------------------------------------------------------------- for `inbox doctor`

-- What this database is: its clock, the caller's role, the migrations it has had, its bucket
-- (private, public or absent), the tables that Realtime tells of.
create function public.inbox_health() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_migrations jsonb := '[]';
  v_bucket text;
begin
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute $sql$ select coalesce(jsonb_agg(version order by version), '[]') from supabase_migrations.schema_migrations $sql$
      into v_migrations;
  end if;
  if to_regclass('storage.buckets') is not null then
    execute $sql$ select case when public then 'public' else 'private' end from storage.buckets where id = 'inbox' $sql$
      into v_bucket;
  end if;
  return jsonb_build_object(
    'now', extract(epoch from pg_catalog.clock_timestamp()),
    'role', coalesce(nullif(current_setting('role', true), 'none'), session_user),
    'migrations', v_migrations, 'bucket', coalesce(v_bucket, 'absent'),
    'realtime', (select coalesce(jsonb_agg(tablename order by tablename), '[]') from pg_catalog.pg_publication_tables
                  where pubname = 'supabase_realtime' and schemaname = 'public' and starts_with(tablename, 'inbox_')));
end $$;

-- ---------------------------------------------------------------- who may see what

revoke all on function public.inbox_health() from public;
revoke all on inbox_private.user_limits from public;
revoke all on all functions in schema inbox_private from public;
revoke all on public.inbox_jobs, public.inbox_files, public.inbox_attempts from public;
do $do$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated'] loop
    if exists (select from pg_roles where rolname = v_role) then
      execute format('revoke all on public.inbox_jobs, public.inbox_files, public.inbox_attempts from %I', v_role);
      execute format('revoke all on function public.inbox_health() from %I', v_role);
      execute format('revoke all on schema inbox_private from %I', v_role);
      execute format('revoke all on all tables in schema inbox_private from %I', v_role);
      execute format('revoke all on all functions in schema inbox_private from %I', v_role);
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'service_role') then
    grant execute on function public.inbox_health() to service_role;
  end if;
  if to_regprocedure('auth.uid()') is null or to_regprocedure('auth.jwt()') is null
     or not exists (select from pg_roles where rolname = 'authenticated') then
    return;
  end if;
  -- No lease, no token, no storage key: those columns are not granted. Realtime sends what is.
  grant select (id, status, progress, total_files, processed_files, labels, result, error, attempt,
    cancel_requested_at, created_at, updated_at, started_at, finished_at, owner_id, organisation_id)
    on public.inbox_jobs to authenticated;
  grant select (id, job_id, number, name, size_bytes, status, label, confidence, evidence, alternatives,
    needs_review, review_reasons, classifier, media_type, pages, ocr_pages, text_length, error_code,
    error_message, processing_time, created_at, updated_at, started_at, finished_at)
    on public.inbox_files to authenticated;
  grant execute on function public.inbox_submit_job(uuid, jsonb, jsonb, text, integer) to authenticated;
  execute $sql$
    create policy "read own jobs and the organisation's" on public.inbox_jobs for select to authenticated
      using (owner_id = (select auth.uid())
             or organisation_id = (select auth.jwt() -> 'app_metadata' ->> 'organisation_id')) $sql$;
  -- The subquery is filtered by the policy above: one rule, in one place.
  execute $sql$
    create policy "read the files of jobs that can be read" on public.inbox_files for select to authenticated
      using (exists (select 1 from public.inbox_jobs j where j.id = job_id)) $sql$;
end $do$;

-- ---------------------------------------------------------------- the bytes

do $do$
begin
  if to_regclass('storage.buckets') is null then
    return;
  end if;
  execute $sql$
    insert into storage.buckets (id, name, public, file_size_limit) values ('inbox', 'inbox', false, 52428800)
    on conflict (id) do nothing $sql$;
  if to_regprocedure('auth.uid()') is null or to_regclass('storage.objects') is null
     or to_regprocedure('storage.foldername(text)') is null
     or not exists (select from pg_roles where rolname = 'authenticated') then
    return;
  end if;
  -- Upload and read, never overwrite or remove: what was submitted is what is read later.
  execute $sql$
    create policy "inbox: upload to the own folder" on storage.objects for insert to authenticated
      with check (bucket_id = 'inbox' and (storage.foldername(name))[1] = (select auth.uid())::text) $sql$;
  execute $sql$
    create policy "inbox: read the own folder" on storage.objects for select to authenticated
      using (bucket_id = 'inbox' and (storage.foldername(name))[1] = (select auth.uid())::text) $sql$;
end $do$;

-- ---------------------------------------------------------------- Realtime

-- The primary key as replica identity is enough: an update carries the whole new row, and of a
-- row that was removed nothing but its id is told.
do $do$
declare
  v_table text;
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime' and not puballtables) then
    return;
  end if;
  foreach v_table in array array['inbox_jobs', 'inbox_files'] loop
    if not exists (select from pg_publication_tables
                    where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = v_table) then
      execute format('alter publication supabase_realtime add table public.%I', v_table);
    end if;
  end loop;
end $do$;
notify pgrst, 'reload schema';
