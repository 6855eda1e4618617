-- A job is one submission, a row of inbox_jobs; a file is one document in it, a row of
-- inbox_files; an attempt is one claim, a row of inbox_attempts. The bytes live in the blob
-- store under storage_key. What a row may look like and where it may go from there is
-- checked here, whoever writes it.

create schema if not exists inbox_private;

-- The house clock: the database's, moved by tests with set inbox.clock_offset = '90 seconds'.
create function inbox_private.clock() returns timestamptz
language sql stable set search_path = '' as $$
  select pg_catalog.clock_timestamp()
       + coalesce(nullif(current_setting('inbox.clock_offset', true), '')::interval, interval '0');
$$;

-- Fencing tokens: each claim takes the next one.
create sequence inbox_private.lease_token;

create table public.inbox_jobs (
  id                  uuid primary key default gen_random_uuid(),
  client_id           text not null default 'local' check (char_length(client_id) between 1 and 200),
  status              text not null default 'pending'
                      check (status in ('pending', 'processing', 'completed', 'failed', 'cancelled')),
  progress            integer not null default 0 check (progress between 0 and 100),
  total_files         integer not null default 0 check (total_files between 0 and 10000),
  processed_files     integer not null default 0,
  labels              jsonb check (jsonb_typeof(labels) = 'array' and jsonb_array_length(labels) between 2 and 200),
  result              jsonb,
  error               jsonb check (jsonb_typeof(error) = 'object' and error ? 'code' and error ? 'message'),
  attempt             integer not null default 0,
  charged_attempts    integer not null default 0,
  max_attempts        integer not null default 5 check (max_attempts between 1 and 100),
  available_at        timestamptz not null default inbox_private.clock(),
  dispatch            integer not null default 1 check (dispatch >= 1),
  lost_dispatches     integer not null default 0 check (lost_dispatches >= 0),
  lease_token         bigint,
  lease_owner         text,
  lease_expires_at    timestamptz,
  cancel_requested_at timestamptz,
  created_at          timestamptz not null default inbox_private.clock(),
  updated_at          timestamptz not null default inbox_private.clock(),
  started_at          timestamptz,
  finished_at         timestamptz,
  constraint processed_within_total check (processed_files between 0 and total_files),
  constraint charged_within_attempts check (charged_attempts between 0 and attempt and charged_attempts <= max_attempts),
  constraint leased_iff_processing check (
    (status = 'processing') = (lease_token is not null)
    and (lease_token is null) = (lease_owner is null)
    and (lease_token is null) = (lease_expires_at is null)),
  constraint started_before_processing check (status <> 'processing' or (attempt >= 1 and started_at is not null)),
  constraint finished_iff_terminal check ((status in ('completed', 'failed', 'cancelled')) = (finished_at is not null)),
  constraint error_iff_failed check ((status = 'failed') = (error is not null)),
  constraint result_iff_terminal check ((finished_at is not null) = (result is not null)),
  constraint completed_is_whole check (status <> 'completed' or (total_files > 0 and processed_files = total_files and progress = 100))
);
create index inbox_jobs_pending on public.inbox_jobs (available_at, id) where status = 'pending';
create index inbox_jobs_lease on public.inbox_jobs (lease_expires_at) where status = 'processing';
create index inbox_jobs_list on public.inbox_jobs (created_at desc, id desc);
create index inbox_jobs_client on public.inbox_jobs (client_id, created_at desc, id desc);

create table public.inbox_files (
  id              uuid primary key default gen_random_uuid(),
  job_id          uuid not null references public.inbox_jobs on delete cascade,
  number          integer not null check (number >= 1),
  name            text not null check (char_length(name) between 1 and 255),
  storage_key     text not null check (char_length(storage_key) between 1 and 1024),
  sha256          text check (sha256 ~ '^[0-9a-f]{64}$'),
  size_bytes      bigint check (size_bytes >= 0),
  status          text not null default 'pending'
                  check (status in ('pending', 'processing', 'completed', 'failed', 'cancelled')),
  lease_token     bigint,
  crash_count     integer not null default 0 check (crash_count between 0 and 2),
  label           text,
  confidence      double precision check (confidence between 0 and 1),
  evidence        jsonb not null default '[]' check (jsonb_typeof(evidence) = 'array'),
  alternatives    jsonb not null default '[]' check (jsonb_typeof(alternatives) = 'array'),
  needs_review    boolean not null default false,
  review_reasons  jsonb not null default '[]' check (jsonb_typeof(review_reasons) = 'array'),
  classifier      text,
  media_type      text,
  pages           integer check (pages >= 0),
  ocr_pages       integer check (ocr_pages between 0 and pages),
  text_length     integer check (text_length >= 0),
  error_code      text,
  error_message   text,
  processing_time double precision check (processing_time >= 0),
  created_at      timestamptz not null default inbox_private.clock(),
  updated_at      timestamptz not null default inbox_private.clock(),
  started_at      timestamptz,
  finished_at     timestamptz,
  unique (job_id, number),
  constraint file_finished_iff_terminal check ((status in ('completed', 'failed', 'cancelled')) = (finished_at is not null)),
  constraint file_error_iff_failed check ((status = 'failed') = (error_code is not null)),
  constraint file_leased_when_processing check (status <> 'processing' or (lease_token is not null and started_at is not null)),
  constraint file_labelled_or_reviewed check (status <> 'completed' or label is not null or needs_review),
  constraint file_label_only_when_completed check (status = 'completed' or label is null)
);

create table public.inbox_attempts (
  token       bigint primary key,
  job_id      uuid not null references public.inbox_jobs on delete cascade,
  attempt     integer not null,
  owner       text not null,
  flow_run_id uuid,
  claimed_at  timestamptz not null default inbox_private.clock(),
  ended_at    timestamptz,
  outcome     text check (outcome in ('completed', 'failed', 'cancelled', 'released', 'crashed', 'lapsed')),
  unique (job_id, attempt),
  constraint ended_iff_outcome check ((ended_at is null) = (outcome is null))
);
create index inbox_attempts_run on public.inbox_attempts (flow_run_id) where flow_run_id is not null;

-- A new job is pending and untouched, whoever inserts it.
create function inbox_private.guard_new_job() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.status <> 'pending' or new.attempt <> 0 or new.progress <> 0 or new.processed_files <> 0 then
    raise exception 'a new job starts as pending, with nothing done' using errcode = '23514';
  end if;
  new.total_files := 0;  -- counted from its files
  return new;
end $$;
create trigger guard_new_job before insert on public.inbox_jobs
  for each row execute function inbox_private.guard_new_job();

create function inbox_private.guard_job() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.status <> old.status and (old.status, new.status) not in (
      ('pending', 'processing'), ('pending', 'cancelled'), ('pending', 'failed'),
      ('processing', 'pending'), ('processing', 'completed'), ('processing', 'failed'),
      ('processing', 'cancelled')) then
    raise exception 'a job cannot go from % to %', old.status, new.status using errcode = '23514';
  end if;
  if (new.id, new.client_id, new.created_at) is distinct from (old.id, old.client_id, old.created_at) then
    raise exception 'id, client_id and created_at of a job never change' using errcode = '23514';
  end if;
  if new.progress < old.progress or new.processed_files < old.processed_files
     or new.total_files < old.total_files or new.dispatch < old.dispatch then
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
create trigger guard_job before update on public.inbox_jobs
  for each row execute function inbox_private.guard_job();

-- A closed job has no open file, and its status is the fold of theirs. Checked at commit.
create function inbox_private.guard_closed_job() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_open integer;
  v_completed integer;
begin
  select count(*) filter (where finished_at is null), count(*) filter (where status = 'completed')
    into v_open, v_completed from public.inbox_files where job_id = new.id;
  if v_open > 0 then
    raise exception 'job % is closed with open files', new.id using errcode = '23514';
  end if;
  if (new.status = 'completed') and v_completed = 0 or (new.status = 'failed') and v_completed > 0 then
    raise exception 'job % does not end as its files did', new.id using errcode = '23514';
  end if;
  return null;
end $$;
create constraint trigger guard_closed_job after update of status on public.inbox_jobs
  deferrable initially deferred for each row when (new.finished_at is not null)
  execute function inbox_private.guard_closed_job();

create function inbox_private.guard_new_file() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform 1 from public.inbox_jobs where id = new.job_id and status = 'pending' and attempt = 0 for update;
  if not found then
    raise exception 'files are added to a job before its first attempt' using errcode = '23514';
  end if;
  if new.status <> 'pending' then
    raise exception 'a new file starts as pending' using errcode = '23514';
  end if;
  if new.number is null then
    select coalesce(max(number), 0) + 1 into new.number from public.inbox_files where job_id = new.job_id;
  end if;
  return new;
end $$;
create trigger guard_new_file before insert on public.inbox_files
  for each row execute function inbox_private.guard_new_file();

create function inbox_private.count_files() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.inbox_jobs j set total_files = j.total_files + n.added
    from (select job_id, count(*)::integer as added from inserted group by job_id) n
   where j.id = n.job_id;
  return null;
end $$;
create trigger count_files after insert on public.inbox_files
  referencing new table as inserted for each statement execute function inbox_private.count_files();

create function inbox_private.guard_file() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.status <> old.status and (old.status, new.status) not in (
      ('pending', 'processing'), ('pending', 'failed'), ('pending', 'cancelled'),
      ('processing', 'pending'), ('processing', 'completed'), ('processing', 'failed'),
      ('processing', 'cancelled')) then
    raise exception 'a file cannot go from % to %', old.status, new.status using errcode = '23514';
  end if;
  if (new.id, new.job_id, new.number, new.storage_key) is distinct from (old.id, old.job_id, old.number, old.storage_key) then
    raise exception 'id, job_id, number and storage_key of a file never change' using errcode = '23514';
  end if;
  if new.crash_count < old.crash_count or new.lease_token < old.lease_token then
    raise exception 'crash_count and token of a file never fall' using errcode = '23514';
  end if;
  new.updated_at := inbox_private.clock();
  return new;
end $$;
create trigger guard_file before update on public.inbox_files
  for each row execute function inbox_private.guard_file();

alter table public.inbox_jobs enable row level security;
alter table public.inbox_files enable row level security;
alter table public.inbox_attempts enable row level security;
