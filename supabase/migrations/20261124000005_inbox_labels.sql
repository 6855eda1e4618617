-- Labels that bring cues and examples of their own, stored label sets, and what people say about
-- labels: who corrected which file when, and the excerpts that the next run may learn from.

create table public.inbox_label_sets (
  client_id  text not null check (char_length(client_id) between 1 and 200),
  name       text not null check (char_length(name) between 1 and 64),
  labels     jsonb not null check (jsonb_typeof(labels) = 'array' and jsonb_array_length(labels) between 2 and 200),
  created_at timestamptz not null default inbox_private.clock(),
  updated_at timestamptz not null default inbox_private.clock(),
  primary key (client_id, name)
);
alter table public.inbox_label_sets enable row level security;

-- Every correction that was ever made; the newest of a file is also in inbox_files.
-- label is null where a correction was taken back.
create table public.inbox_corrections (
  id           bigint generated always as identity primary key,
  file_id      uuid not null references public.inbox_files on delete cascade,
  label        text check (char_length(label) between 1 and 64),
  previous     text,
  corrected_by text not null check (char_length(corrected_by) between 1 and 200),
  corrected_at timestamptz not null default inbox_private.clock()
);
create index inbox_corrections_file on public.inbox_corrections (file_id, id);
alter table public.inbox_corrections enable row level security;
create index inbox_files_corrected on public.inbox_files (job_id, corrected_at) where corrected_label is not null;

-- The beginning of a corrected file's text; written by a worker that may learn, gone with the job.
create table inbox_private.excerpts (
  file_id uuid primary key references public.inbox_files on delete cascade,
  excerpt text not null check (char_length(excerpt) <= 4000)
);
alter table inbox_private.excerpts enable row level security;

-- ---------------------------------------------------------------- labels

-- The names of the labels that are used where a job brings none.
create function inbox_private.default_labels() returns text[]
language sql immutable set search_path = '' as $$
  select array['invoice', 'receipt', 'contract', 'resume', 'letter', 'memo', 'form', 'report', 'bank_statement',
    'identity_document', 'email', 'scientific_article', 'news_article', 'other'];
$$;

-- A list of short or long texts of a label; null where it is not one.
create function inbox_private.checked_texts(p_texts jsonb, p_most integer, p_longest integer) returns jsonb
language plpgsql immutable set search_path = '' as $$
declare
  v_text jsonb;
  v_texts jsonb := '[]';
begin
  if coalesce(jsonb_typeof(p_texts), 'null') = 'null' then return v_texts; end if;
  if jsonb_typeof(p_texts) <> 'array' or jsonb_array_length(p_texts) > p_most then return null; end if;
  for v_text in select * from jsonb_array_elements(p_texts) loop
    if jsonb_typeof(v_text) <> 'string' or v_text #>> '{}' !~ '[[:alnum:]]' or char_length(v_text #>> '{}') > p_longest then
      return null;
    end if;
    v_texts := v_texts || to_jsonb(btrim(v_text #>> '{}', E' \t\n\r'));
  end loop;
  return v_texts;
end $$;

-- A list of labels as [{name, description}], with cues and examples where there are some, by the
-- rules of the HTTP API.
create or replace function inbox_private.checked_labels(p_labels jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_item jsonb;
  v_number bigint;
  v_name text;
  v_description text;
  v_cues jsonb;
  v_examples jsonb;
  v_seen text[] := '{}';
  v_labels jsonb := '[]';
begin
  if p_labels is null or p_labels = 'null' then
    return null;
  end if;
  if jsonb_typeof(p_labels) <> 'array' or jsonb_array_length(p_labels) not between 2 and 200 then
    perform inbox_private.refuse('invalid_labels', '2 to 200 labels are needed');
  elsif octet_length(p_labels::text) > 1048576 then
    perform inbox_private.refuse('invalid_labels', 'the labels are larger than a mebibyte');
  end if;
  for v_item, v_number in select * from jsonb_array_elements(p_labels) with ordinality loop
    if jsonb_typeof(v_item) = 'string' then
      v_item := jsonb_build_object('name', v_item);
    end if;
    if jsonb_typeof(v_item) <> 'object' or jsonb_typeof(v_item -> 'name') is distinct from 'string'
       or coalesce(jsonb_typeof(v_item -> 'description'), 'null') not in ('string', 'null')
       or v_item - array['name', 'description', 'cues', 'examples'] <> '{}' then
      perform inbox_private.refuse('invalid_labels', format('label %s must be a name or an object with name, description, cues and examples', v_number));
    end if;
    v_name := btrim(v_item ->> 'name', E' \t\n\r');
    v_description := btrim(regexp_replace(coalesce(v_item ->> 'description', ''), '\s+', ' ', 'g'));
    if char_length(v_name) not between 1 and 64 or v_name !~ '[[:alnum:]]' or v_name ~ '[[:cntrl:]]'
       or char_length(v_description) > 1000 or lower(v_name) = any (v_seen) then
      perform inbox_private.refuse('invalid_labels', format(
        'label %s cannot be used: a name has 1 to 64 characters and a letter or digit, a description 1000 at most, no name comes twice', v_number));
    end if;
    v_cues := inbox_private.checked_texts(v_item -> 'cues', 50, 100);
    v_examples := inbox_private.checked_texts(v_item -> 'examples', 20, 4000);
    if v_cues is null or v_examples is null then
      perform inbox_private.refuse('invalid_labels', format(
        'label %s cannot be used: 50 cues of 100 characters at most and 20 examples of 4000, each with a letter or digit', v_number));
    end if;
    v_seen := v_seen || lower(v_name);
    v_labels := v_labels || (jsonb_build_object('name', v_name, 'description', v_description)
      || case when v_cues = '[]' then '{}' else jsonb_build_object('cues', v_cues) end
      || case when v_examples = '[]' then '{}' else jsonb_build_object('examples', v_examples) end);
  end loop;
  return v_labels;
end $$;

-- A server names the client; a signed-in user is one, whatever is named.
create function inbox_private.client_of(p_client_id text) returns text
language sql stable set search_path = '' as $$
  select coalesce(inbox_private.requester()::text, p_client_id);
$$;

create function inbox_private.label_set(s public.inbox_label_sets) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object('name', s.name, 'labels', s.labels, 'created_at', s.created_at, 'updated_at', s.updated_at);
$$;

-- Store a list of labels under a name, in place of one that has the name.
create function public.inbox_put_label_set(p_name text, p_labels jsonb, p_client_id text default 'local') returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_client text := inbox_private.client_of(p_client_id);
  v_set public.inbox_label_sets;
begin
  if p_name is null or char_length(p_name) > 64 or p_name !~ '^[[:alnum:]]([[:alnum:]._ -]*[[:alnum:]])?$' then
    perform inbox_private.refuse('invalid_labels', 'a label set is named by 1 to 64 letters, digits, spaces, dots, dashes and underscores');
  end if;
  p_labels := inbox_private.checked_labels(p_labels);
  if p_labels is null then
    perform inbox_private.refuse('invalid_labels', '2 to 200 labels are needed');
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('label sets of ' || v_client, 0));
  if (select count(*) from public.inbox_label_sets where client_id = v_client and name <> p_name) >= 200 then
    perform inbox_private.refuse('invalid_labels', 'there are 200 label sets; delete one first');
  end if;
  insert into public.inbox_label_sets as s (client_id, name, labels) values (v_client, p_name, p_labels)
  on conflict (client_id, name) do update set labels = excluded.labels, updated_at = inbox_private.clock()
  returning * into v_set;
  return inbox_private.label_set(v_set);
end $$;

-- One label set, or null.
create function public.inbox_label_set(p_name text, p_client_id text default 'local') returns jsonb
language sql stable security definer set search_path = '' as $$
  select inbox_private.label_set(s) from public.inbox_label_sets s
   where s.client_id = inbox_private.client_of(p_client_id) and s.name = p_name;
$$;

-- Every label set of a client, by name.
create function public.inbox_list_label_sets(p_client_id text default 'local') returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(inbox_private.label_set(s) order by s.name), '[]') from public.inbox_label_sets s
   where s.client_id = inbox_private.client_of(p_client_id);
$$;

-- Forget a label set; whether there was one. Jobs keep the labels that they were submitted with.
create function public.inbox_delete_label_set(p_name text, p_client_id text default 'local') returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  delete from public.inbox_label_sets where client_id = inbox_private.client_of(p_client_id) and name = p_name;
  return found;
end $$;

-- A job that names a label set takes a copy of its labels, whoever inserts it.
create function inbox_private.take_label_set() returns trigger
language plpgsql set search_path = '' as $$
begin
  if exists (select from public.inbox_jobs where id = new.id) then
    return new;  -- the same submission again
  end if;
  if new.labels is not null then
    perform inbox_private.refuse('invalid_labels', 'a job brings labels or names a label set, not both');
  end if;
  select labels into new.labels from public.inbox_label_sets
   where client_id = new.client_id and name = new.options ->> 'label_set';
  if not found then
    perform inbox_private.refuse('invalid_labels', 'there is no label set of this name');
  end if;
  return new;
end $$;
create trigger take_label_set before insert on public.inbox_jobs
  for each row when (new.options ->> 'label_set' is not null) execute function inbox_private.take_label_set();

-- ---------------------------------------------------------------- corrections

-- Say what a file is, or with p_label null take that back; the job as it is then, null where there
-- is no such job. A user corrects files of the own jobs, in the own name.
create function public.inbox_correct_file(
  p_job_id uuid, p_file_id uuid, p_label text, p_by text default null, p_client_id text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_user uuid := inbox_private.requester();
  v_by text := case when v_user is null then btrim(p_by) else v_user::text end;
  v_now timestamptz := inbox_private.clock();
  j public.inbox_jobs;
  f public.inbox_files;
begin
  select * into j from public.inbox_jobs
   where id = p_job_id and (p_client_id is null or client_id = p_client_id) and (v_user is null or owner_id = v_user)
     for update;
  if not found then return null; end if;
  select * into f from public.inbox_files where id = p_file_id and job_id = p_job_id for update;
  if not found then
    perform inbox_private.refuse('file_not_found', 'the job has no such file');
  elsif f.status <> 'completed' then
    perform inbox_private.refuse('file_not_completed', 'only the label of a completed file can be corrected');
  elsif coalesce(char_length(v_by), 0) not between 1 and 200 or v_by ~ '[[:cntrl:]]' then
    perform inbox_private.refuse('invalid_request', 'a correction needs the name of who makes it, 1 to 200 characters');
  elsif p_label is not null and not (case when j.labels is null then p_label = any (inbox_private.default_labels())
          else exists (select from jsonb_array_elements(j.labels) l where l ->> 'name' = p_label) end) then
    perform inbox_private.refuse('invalid_labels', 'this is not one of the labels of the job');
  end if;
  if p_label is distinct from f.corrected_label or (p_label is not null and v_by <> f.corrected_by) then
    update public.inbox_files
       set corrected_label = p_label, corrected_by = case when p_label is not null then v_by end,
           corrected_at = case when p_label is not null then v_now end
     where id = p_file_id;
    insert into public.inbox_corrections (file_id, label, previous, corrected_by, corrected_at)
    values (p_file_id, p_label, coalesce(f.corrected_label, f.label), v_by, v_now);
    update public.inbox_jobs set result = inbox_private.job_result(p_job_id) where id = p_job_id and finished_at is not null;
  end if;
  return public.inbox_job_view(p_job_id);
end $$;

-- Every correction of a job's files, oldest first; null where there is no such job.
create function public.inbox_corrections(p_job_id uuid, p_client_id text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select (select coalesce(jsonb_agg(jsonb_build_object(
            'file_id', c.file_id, 'number', f.number, 'label', c.label, 'previous', c.previous,
            'corrected_by', c.corrected_by, 'corrected_at', c.corrected_at) order by c.id), '[]')
            from public.inbox_corrections c join public.inbox_files f on f.id = c.file_id where f.job_id = j.id)
    from public.inbox_jobs j
   where j.id = p_job_id and (p_client_id is null or j.client_id = p_client_id);
$$;

-- The files of a client that people corrected or confirmed, newest first, with what can be learned from them.
create function public.inbox_corrected_files(p_client_id text default 'local', p_limit integer default 200) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(row order by at desc, id), '[]') from (
    select f.corrected_at as at, f.id, jsonb_build_object(
             'file', jsonb_build_object('id', f.id, 'number', f.number, 'name', f.name, 'parent_id', f.parent_id,
               'blob', jsonb_build_object('key', f.storage_key, 'sha256', f.sha256, 'size', f.size_bytes)),
             'label', f.label, 'confidence', f.confidence, 'corrected_label', f.corrected_label,
             'corrected_by', f.corrected_by, 'corrected_at', f.corrected_at, 'excerpt', e.excerpt) as row
      from public.inbox_jobs j join public.inbox_files f on f.job_id = j.id and f.corrected_label is not null
      left join inbox_private.excerpts e on e.file_id = f.id
     where j.client_id = p_client_id
     order by f.corrected_at desc, f.id limit least(greatest(p_limit, 1), 500)) rows;
$$;

-- Keep the beginning of a corrected file's text; the first stays. Whether the file is still there.
create function public.inbox_keep_excerpt(p_file_id uuid, p_excerpt text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  perform 1 from public.inbox_files where id = p_file_id and corrected_label is not null for key share;
  if not found then return false; end if;
  insert into inbox_private.excerpts (file_id, excerpt) values (p_file_id, left(p_excerpt, 4000)) on conflict do nothing;
  return true;
end $$;

-- ---------------------------------------------------------------- who may call and see what

revoke all on public.inbox_label_sets, public.inbox_corrections from public;
revoke all on inbox_private.excerpts from public;
revoke all on all functions in schema inbox_private from public;
do $do$
declare
  v_function regprocedure;
  v_role text;
begin
  for v_function in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                     where n.nspname = 'public' and p.proname in ('inbox_put_label_set', 'inbox_label_set', 'inbox_list_label_sets',
                       'inbox_delete_label_set', 'inbox_correct_file', 'inbox_corrections', 'inbox_corrected_files', 'inbox_keep_excerpt') loop
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
      execute format('revoke all on public.inbox_label_sets, public.inbox_corrections from %I', v_role);
      execute format('revoke all on inbox_private.excerpts from %I', v_role);
      execute format('revoke all on all functions in schema inbox_private from %I', v_role);
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.inbox_label_sets, public.inbox_corrections to service_role;
  end if;
  if to_regprocedure('auth.uid()') is not null and exists (select from pg_roles where rolname = 'authenticated') then
    grant execute on function public.inbox_put_label_set(text, jsonb, text), public.inbox_label_set(text, text),
      public.inbox_list_label_sets(text), public.inbox_delete_label_set(text, text),
      public.inbox_correct_file(uuid, uuid, text, text, text) to authenticated;
  end if;
end $do$;
notify pgrst, 'reload schema';
