-- Files that are found inside other files, progress within a file and the time that is left, pages
-- that were recognised before, and secrets that end with their job.

-- ---------------------------------------------------------------- what the rows can say

-- depth: how many files lie around this one. pages_at_once: pages that cost nothing to read.
-- recipe: how the pages that are kept of this file were read.
alter table public.inbox_files
  add column depth smallint not null default 0 check (depth between 0 and 100),
  add column pages_at_once integer check (pages_at_once >= 0),
  add column recipe text check (char_length(recipe) between 1 and 200),
  add constraint children_are_deeper check ((parent_id is null) = (depth = 0)),
  drop constraint file_labelled_or_reviewed,
  add constraint file_labelled_or_reviewed check (
    status <> 'completed' or label is not null or needs_review or details @> '{"container": true}');
create index inbox_files_content on public.inbox_files (sha256) where sha256 is not null;
comment on constraint file_labelled_or_reviewed on public.inbox_files is
  'A container is nothing but a case for other files: the labels are theirs.';

create or replace function inbox_private.guard_new_file() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.parent_id is null then
    perform 1 from public.inbox_jobs where id = new.job_id and status = 'pending' and attempt = 0 for update;
  else
    perform 1 from public.inbox_jobs j join public.inbox_files p on p.job_id = j.id
     where j.id = new.job_id and j.status = 'processing' and p.id = new.parent_id and p.depth + 1 = new.depth
       for update of j;
  end if;
  if not found then
    raise exception 'files are added to a job before its first attempt, or are found inside another while it is processed'
      using errcode = '23514';
  end if;
  if new.status <> 'pending' then
    raise exception 'a new file starts as pending' using errcode = '23514';
  end if;
  if new.number is null then
    select coalesce(max(number), 0) + 1 into new.number from public.inbox_files where job_id = new.job_id;
  end if;
  return new;
end $$;

-- ---------------------------------------------------------------- files inside files

create function inbox_private.open_files(p_job_id uuid, p_after integer) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'number', f.number, 'name', f.name,
           'parent_id', f.parent_id, 'depth', f.depth,
           'blob', jsonb_build_object('key', f.storage_key, 'sha256', f.sha256, 'size', f.size_bytes)) order by f.number), '[]')
    from public.inbox_files f where f.job_id = p_job_id and f.number > p_after and f.finished_at is null;
$$;

create or replace function inbox_private.lease(j public.inbox_jobs) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'job_id', j.id, 'token', j.lease_token, 'attempt', j.attempt, 'expires_at', j.lease_expires_at,
    'one_at_a_time', j.charged_attempts > 0, 'labels', j.labels, 'client_id', j.client_id,
    'options', j.options, 'sealed', j.sealed, 'files', inbox_private.open_files(j.id, 0));
$$;

-- The open files with a number above p_after: what was found inside others since a claim. Null
-- where the lease is not (or no longer) the caller's.
create function public.inbox_open_files(p_job_id uuid, p_token bigint, p_after integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  if not inbox_private.hold(p_job_id, p_token) then return null; end if;
  return inbox_private.open_files(p_job_id, p_after);
end $$;

-- Add what was found inside a file, whose bytes are stored already: all of it or nothing, and once
-- only. p_children is [{name, storage_key, sha256, size_bytes, error_code, error_message}]; what
-- could not be taken out has an error and is over at once. p_max_files and p_max_bytes bound what
-- the containers of one job bring in all. Answers ok, cancel, lost, too_many_entries or too_large.
create function public.inbox_add_children(
  p_job_id uuid, p_token bigint, p_file_id uuid, p_children jsonb, p_max_files integer, p_max_bytes bigint,
  p_lease_seconds double precision) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_parent public.inbox_files;
  v_last integer;
  v_files integer;
  v_bytes numeric;
  v_failed integer;
begin
  if jsonb_typeof(p_children) is distinct from 'array' then
    raise exception 'the children are a list' using errcode = '22023', detail = 'invalid_request';
  end if;
  if not inbox_private.hold(p_job_id, p_token) then return 'lost'; end if;
  select * into v_parent from public.inbox_files where id = p_file_id and job_id = p_job_id;
  if v_parent.finished_at is null and jsonb_array_length(p_children) > 0
     and not exists (select from public.inbox_files where parent_id = p_file_id) then
    select max(number), count(*) filter (where parent_id is not null),
           coalesce(sum(size_bytes) filter (where parent_id is not null), 0)
      into v_last, v_files, v_bytes from public.inbox_files where job_id = p_job_id;
    if v_files + jsonb_array_length(p_children) > p_max_files or v_last + jsonb_array_length(p_children) > 10000 then
      return 'too_many_entries';
    end if;
    if v_bytes + (select coalesce(sum((item->>'size_bytes')::bigint), 0) from jsonb_array_elements(p_children) item) > p_max_bytes then
      return 'too_large';
    end if;
    insert into public.inbox_files (job_id, parent_id, depth, number, name, storage_key, sha256, size_bytes)
    select p_job_id, p_file_id, v_parent.depth + 1, v_last + c.n, c.item->>'name', c.item->>'storage_key',
           c.item->>'sha256', (c.item->>'size_bytes')::bigint
      from jsonb_array_elements(p_children) with ordinality as c (item, n);
    update public.inbox_files f
       set status = 'failed', error_code = c.item->>'error_code', error_message = left(c.item->>'error_message', 2000),
           lease_token = p_token, finished_at = inbox_private.clock()
      from jsonb_array_elements(p_children) with ordinality as c (item, n)
     where f.job_id = p_job_id and f.number = v_last + c.n and c.item->>'error_code' is not null;
    get diagnostics v_failed = row_count;
    update public.inbox_jobs set processed_files = processed_files + v_failed where id = p_job_id and v_failed > 0;
  end if;
  return inbox_private.extend(p_job_id, p_lease_seconds);
end $$;

-- ---------------------------------------------------------------- progress within a file

-- So many pages of a file are done; also a sign of life. p_at_once: those that cost nothing, because
-- they are text or were recognised before; what is said first of them stands.
create function public.inbox_progress(
  p_job_id uuid, p_token bigint, p_file_id uuid, p_done integer, p_total integer, p_at_once integer,
  p_lease_seconds double precision) returns text
language plpgsql security definer set search_path = '' as $$
begin
  if not inbox_private.hold(p_job_id, p_token) then return 'lost'; end if;
  update public.inbox_files
     set pages_total = p_total, pages_done = greatest(coalesce(pages_done, 0), least(p_done, p_total)),
         pages_at_once = coalesce(pages_at_once, least(p_at_once, p_total))
   where id = p_file_id and job_id = p_job_id and status = 'processing';
  update public.inbox_jobs j
     set progress = greatest(j.progress, least(99, floor(100 * (j.processed_files + w.begun) / j.total_files)::integer))
    from (select coalesce(sum(pages_done::double precision / pages_total) filter (where pages_total > 0), 0) as begun
            from public.inbox_files where job_id = p_job_id and status = 'processing') w
   where j.id = p_job_id;
  return inbox_private.extend(p_job_id, p_lease_seconds);
end $$;

-- Another attempt begins the file anew.
create function inbox_private.forget_progress() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.pages_done := null;
  new.pages_total := null;
  new.pages_at_once := null;
  return new;
end $$;
create trigger forget_progress before update of status on public.inbox_files
  for each row when (old.status <> 'pending' and new.status = 'pending') execute function inbox_private.forget_progress();

-- Seconds until the job may be over, by how fast this attempt went so far; null where that is not
-- known. A file is as much work as it has pages that cost something, one at least; a file that
-- nobody looked at yet is taken for an average one.
create function inbox_private.seconds_left(j public.inbox_jobs) returns integer
language sql stable set search_path = '' as $$
  with files as (
    select f.finished_at is not null as over, f.lease_token = j.lease_token as ours, f.status = 'processing' as at_work,
           greatest(0, f.pages_done - f.pages_at_once) as pages_done,
           case when f.pages_total is not null then greatest(1, f.pages_total - f.pages_at_once)
                when f.finished_at is not null then 1 end as work
      from public.inbox_files f where f.job_id = j.id),
  sums as (
    select coalesce(sum(case when over and ours then work when at_work then least(pages_done, work) end), 0) as done,
           sum(case when over then 0
                    else coalesce(work, (select avg(work) from files)) - coalesce(case when at_work then least(pages_done, work) end, 0) end) as rest
      from files)
  select ceil(extract(epoch from inbox_private.clock() - a.claimed_at) * s.rest / nullif(s.done, 0))::integer
    from sums s join public.inbox_attempts a on a.token = j.lease_token
   where j.status = 'processing';
$$;

create or replace function inbox_private.job_summary(j public.inbox_jobs) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'job_id', j.id, 'status', j.status, 'progress', j.progress, 'created_at', j.created_at,
    'updated_at', j.updated_at, 'total_files', j.total_files,
    'processed_files', j.processed_files, 'error', j.error,
    'estimated_seconds_left', case when j.status = 'processing' then inbox_private.seconds_left(j) end);
$$;

-- The files are shown as soon as one is over, or pages of one are done.
create or replace function public.inbox_job_view(p_job_id uuid, p_client_id text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select inbox_private.job_summary(j) || jsonb_build_object(
    'started_at', j.started_at, 'finished_at', j.finished_at, 'attempt', j.attempt,
    'cancel_requested', j.cancel_requested_at is not null, 'options', j.options,
    'result', case when j.result is not null then j.result
                   when j.processed_files > 0
                        or exists (select from public.inbox_files f where f.job_id = j.id and f.pages_done is not null)
                   then inbox_private.job_result(j.id) end)
    from public.inbox_jobs j
   where j.id = p_job_id and (p_client_id is null or j.client_id = p_client_id);
$$;

-- ---------------------------------------------------------------- pages that were read before

-- What was read of a content, for one client, by one recipe (engines, their versions, settings).
-- Nobody but the service reads it: the text of a document is not for whoever may see its job.
create table public.inbox_pages (
  client_id text not null check (char_length(client_id) between 1 and 200),
  sha256    text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  recipe    text not null check (char_length(recipe) between 1 and 200),
  number    integer not null check (number >= 1),
  page      jsonb not null check (jsonb_typeof(page) = 'object' and octet_length(page::text) <= 4194304),
  kept_at   timestamptz not null default inbox_private.clock(),
  primary key (client_id, sha256, recipe, number)
);
create index inbox_pages_age on public.inbox_pages (kept_at);
alter table public.inbox_pages enable row level security;

-- Keep pages of a file that the caller works on; a page that is kept already stays as it is and is
-- young again. p_whole: with these, every page of the file is kept. Answers ok or lost.
create function public.inbox_keep_pages(
  p_job_id uuid, p_token bigint, p_file_id uuid, p_sha256 text, p_recipe text, p_pages jsonb,
  p_whole boolean default false) returns text
language plpgsql security definer set search_path = '' as $$
declare
  f public.inbox_files;
begin
  if not inbox_private.hold(p_job_id, p_token) then return 'lost'; end if;
  select * into f from public.inbox_files where id = p_file_id and job_id = p_job_id;
  if coalesce(f.sha256, p_sha256) is distinct from p_sha256 or f.id is null then
    raise exception 'these pages are of another content' using errcode = '22023', detail = 'invalid_request';
  end if;
  if f.sha256 is null or p_whole and f.recipe is distinct from p_recipe then
    update public.inbox_files
       set sha256 = p_sha256, recipe = case when p_whole then p_recipe else recipe end where id = f.id;
  end if;
  insert into public.inbox_pages as kept (client_id, sha256, recipe, number, page)
  select j.client_id, p_sha256, p_recipe, (item->>'number')::integer, item
    from public.inbox_jobs j, jsonb_array_elements(p_pages) item where j.id = p_job_id
  on conflict (client_id, sha256, recipe, number) do update set kept_at = excluded.kept_at
   where kept.kept_at < excluded.kept_at - interval '1 hour';
  return 'ok';
end $$;

-- Pages that were kept, from above p_after, as many as fit into a few megabytes.
create function public.inbox_kept_pages(
  p_client_id text, p_sha256 text, p_recipe text, p_after integer default 0, p_limit integer default 500) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(page order by number), '[]')
    from (select number, page, sum(octet_length(page::text)) over (order by number) - octet_length(page::text) as before
            from (select number, page from public.inbox_pages
                   where client_id = p_client_id and sha256 = p_sha256 and recipe = p_recipe and number > p_after
                   order by number limit least(greatest(p_limit, 1), 500)) p) sized
   where before < 4194304;
$$;

-- What it takes to show a file again, or null; p_client_id null sees every client's.
create function public.inbox_file_source(p_job_id uuid, p_file_id uuid, p_client_id text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('client_id', j.client_id, 'name', f.name, 'status', f.status, 'media_type', f.media_type,
           'pages', f.pages, 'recipe', f.recipe, 'details', f.details, 'options', j.options,
           'blob', jsonb_build_object('key', f.storage_key, 'sha256', f.sha256, 'size', f.size_bytes))
    from public.inbox_files f join public.inbox_jobs j on j.id = f.job_id
   where f.id = p_file_id and f.job_id = p_job_id and (p_client_id is null or j.client_id = p_client_id);
$$;

-- Forget pages that were kept longer ago than so many seconds; how many, at most p_limit.
create function public.inbox_purge_pages(p_seconds double precision, p_limit integer default 5000) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  v_count integer;
begin
  delete from public.inbox_pages where ctid = any (array(
    select ctid from public.inbox_pages
     where kept_at < inbox_private.clock() - make_interval(secs => p_seconds) limit p_limit for update skip locked));
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- With the last job of a client that has a content, the pages of that content go.
create function inbox_private.forget_pages() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pages of ' || old.client_id, 0));
  delete from public.inbox_pages p
   where p.client_id = old.client_id
     and p.sha256 in (select f.sha256 from public.inbox_files f where f.job_id = old.id)
     and not exists (select from public.inbox_files o join public.inbox_jobs j on j.id = o.job_id
                      where o.sha256 = p.sha256 and o.job_id <> old.id and j.client_id = old.client_id);
  return old;
end $$;
create trigger forget_pages before delete on public.inbox_jobs
  for each row execute function inbox_private.forget_pages();

-- ---------------------------------------------------------------- secrets

create function inbox_private.forget_secrets() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.sealed := null;
  return new;
end $$;
create trigger forget_secrets before update on public.inbox_jobs
  for each row when (new.finished_at is not null and new.sealed is not null) execute function inbox_private.forget_secrets();
alter table public.inbox_jobs add constraint secrets_end_with_the_job check (sealed is null or finished_at is null);

-- ---------------------------------------------------------------- who may call and see what

revoke all on all functions in schema inbox_private from public;
revoke all on public.inbox_pages from public;
do $do$
declare
  v_function regprocedure;
  v_role text;
begin
  for v_function in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                     where n.nspname = 'public' and p.proname in (
                       'inbox_open_files', 'inbox_add_children', 'inbox_progress', 'inbox_keep_pages',
                       'inbox_kept_pages', 'inbox_file_source', 'inbox_purge_pages') loop
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
  foreach v_role in array array['anon', 'authenticated'] loop
    if exists (select from pg_roles where rolname = v_role) then
      execute format('revoke all on public.inbox_pages from %I', v_role);
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.inbox_pages to service_role;
  end if;
end $do$;
notify pgrst, 'reload schema';
