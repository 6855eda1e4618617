-- What the HTTP API stands on: events in order, API keys, webhooks with their outbox and log, a
-- submission in one call, and what expires.

-- ---------------------------------------------------------------- events

-- What happened to a job and its files, numbered without gaps in the order of commit. Written by
-- triggers in the transaction of the change itself, gone with the job.
create table public.inbox_events (
  job_id   uuid not null references public.inbox_jobs on delete cascade,
  sequence integer not null check (sequence >= 1),
  kind     text not null check (kind in ('job', 'file', 'pages')),
  at       timestamptz not null default inbox_private.clock(),
  data     jsonb not null check (jsonb_typeof(data) = 'object'),
  primary key (job_id, sequence)
);
alter table public.inbox_events enable row level security;

-- Holding the job's row until the commit is what keeps a later number from being seen first.
create function inbox_private.tell(p_job_id uuid, p_kind text, p_data jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  perform from public.inbox_jobs where id = p_job_id for no key update;
  insert into public.inbox_events (job_id, sequence, kind, data)
  select p_job_id, coalesce(max(sequence), 0) + 1, p_kind, p_data from public.inbox_events where job_id = p_job_id;
end $$;

create function inbox_private.tell_of_job() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform inbox_private.tell(new.id, 'job', jsonb_build_object(
    'status', new.status, 'progress', new.progress, 'processed_files', new.processed_files,
    'total_files', new.total_files, 'attempt', new.attempt, 'cancel_requested', new.cancel_requested_at is not null,
    'error_code', new.error ->> 'code'));
  return null;
end $$;
create trigger tell_of_job after update on public.inbox_jobs for each row
  when ((new.status, new.progress, new.processed_files, new.total_files, new.attempt, new.cancel_requested_at)
        is distinct from (old.status, old.progress, old.processed_files, old.total_files, old.attempt, old.cancel_requested_at))
  execute function inbox_private.tell_of_job();

create function inbox_private.tell_of_file() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform inbox_private.tell(new.job_id, 'file', jsonb_build_object(
    'file_id', new.id, 'number', new.number, 'parent_id', new.parent_id, 'status', new.status, 'label', new.label,
    'confidence', new.confidence, 'needs_review', new.needs_review, 'pages', new.pages,
    'corrected_label', new.corrected_label, 'error_code', new.error_code));
  return null;
end $$;
create trigger tell_of_file after update on public.inbox_files for each row
  when ((new.status, new.corrected_label) is distinct from (old.status, old.corrected_label))
  execute function inbox_private.tell_of_file();
create trigger tell_of_found_file after insert on public.inbox_files for each row
  when (new.parent_id is not null) execute function inbox_private.tell_of_file();

-- Of a long document not every page is told: twenty steps at most each time it is read.
create function inbox_private.tell_of_pages() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_step bigint := case when new.pages_total > 20 then 20::bigint * new.pages_done / new.pages_total else new.pages_done end;
  v_before bigint := case when old.pages_total > 20 then 20::bigint * old.pages_done / old.pages_total else old.pages_done end;
begin
  if v_step is distinct from v_before then
    perform inbox_private.tell(new.job_id, 'pages', jsonb_build_object(
      'file_id', new.id, 'number', new.number, 'pages_done', new.pages_done, 'pages_total', new.pages_total));
  end if;
  return null;
end $$;
create trigger tell_of_pages after update on public.inbox_files for each row
  when (new.pages_done is not null and (new.pages_done, new.pages_total) is distinct from (old.pages_done, old.pages_total))
  execute function inbox_private.tell_of_pages();

create function inbox_private.last_event(p_job_id uuid) returns integer
language sql stable set search_path = '' as $$
  select coalesce(max(sequence), 0) from public.inbox_events where job_id = p_job_id;
$$;

-- {event, job}: the job and the number of its last event; job is null where that is p_known, and
-- all of it where there is no such job of this client's.
create function public.inbox_watch_job(p_job_id uuid, p_client_id text default null, p_known integer default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('event', e.last, 'status', j.status,
           'job', case when p_known is distinct from e.last then public.inbox_job_view(p_job_id, p_client_id) end)
    from public.inbox_jobs j cross join lateral (select inbox_private.last_event(j.id) as last) e
   where j.id = p_job_id and (p_client_id is null or j.client_id = p_client_id);
$$;

-- {job_id: number of its last event} for those of the jobs that exist: one look for all who wait.
create function public.inbox_last_events(p_job_ids jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_object_agg(j.id, inbox_private.last_event(j.id)), '{}') from public.inbox_jobs j
   where j.id in (select value::uuid from jsonb_array_elements_text(p_job_ids));
$$;

-- {status, last, events} of a job's events after a number, in order; null where there is no such job.
create function public.inbox_job_events(p_job_id uuid, p_client_id text default null, p_after integer default 0, p_limit integer default 500) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('status', j.status, 'last', inbox_private.last_event(j.id), 'events', (
           select coalesce(jsonb_agg(jsonb_build_object('sequence', e.sequence, 'kind', e.kind, 'at', e.at, 'data', e.data) order by e.sequence), '[]')
             from (select * from public.inbox_events where job_id = j.id and sequence > p_after
                    order by sequence limit least(greatest(p_limit, 1), 1000)) e))
    from public.inbox_jobs j where j.id = p_job_id and (p_client_id is null or j.client_id = p_client_id);
$$;

-- ---------------------------------------------------------------- submit and list

-- Queue a job, with its key where it has one, and say how many files wait before it.
create function public.inbox_accept_job(
  p_job_id uuid, p_files jsonb, p_labels jsonb, p_client_id text, p_max_attempts integer,
  p_options jsonb default null, p_sealed text default null, p_key text default null, p_request_sha256 text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_ahead bigint;
begin
  select coalesce(sum(total_files - processed_files), 0) into v_ahead
    from (select * from public.inbox_jobs where status = 'pending' and id <> p_job_id limit 1000) waiting;
  return jsonb_build_object('files_ahead', v_ahead, 'job', case when p_key is null
    then public.inbox_submit_job(p_job_id, p_files, p_labels, p_client_id, p_max_attempts, p_options, p_sealed)
    else public.inbox_submit_reserved_job(p_job_id, p_files, p_labels, p_client_id, p_max_attempts, p_key, p_request_sha256, p_options, p_sealed) end);
end $$;

-- As inbox_list_jobs, for p_filters {status: [...], label, needs_review, failed_files, created_after, created_before}.
create function public.inbox_find_jobs(
  p_client_id text default null, p_filters jsonb default '{}', p_before_created_at timestamptz default null,
  p_before_id uuid default null, p_limit integer default 50) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(inbox_private.job_summary(j) order by j.created_at desc, j.id desc), '[]')
    from (select * from public.inbox_jobs o
           where (p_client_id is null or client_id = p_client_id)
             and (p_filters -> 'status' is null or p_filters -> 'status' ? status)
             and (p_filters ->> 'created_after' is null or created_at >= (p_filters ->> 'created_after')::timestamptz)
             and (p_filters ->> 'created_before' is null or created_at < (p_filters ->> 'created_before')::timestamptz)
             and (p_filters ->> 'label' is null or exists (select from public.inbox_files f
                   where f.job_id = o.id and coalesce(f.corrected_label, f.label) = p_filters ->> 'label'))
             and (p_filters ->> 'needs_review' is null or (p_filters ->> 'needs_review')::boolean = exists (
                   select from public.inbox_files f where f.job_id = o.id and f.needs_review))
             and (p_filters ->> 'failed_files' is null or (p_filters ->> 'failed_files')::boolean = exists (
                   select from public.inbox_files f where f.job_id = o.id and f.status = 'failed'))
             and (p_before_created_at is null or (created_at, id) < (p_before_created_at, p_before_id))
           order by created_at desc, id desc limit least(greatest(p_limit, 1), 500)) j;
$$;

-- ---------------------------------------------------------------- API keys

-- Only the digest of a key is kept. Rows stay when a key is revoked: once there was a key, the
-- API asks for one.
create table public.inbox_api_keys (
  id           uuid primary key,
  name         text not null check (char_length(name) between 1 and 200),
  client_id    text not null check (char_length(client_id) between 1 and 200),
  hint         text not null check (char_length(hint) between 1 and 32),
  sha256       text not null unique check (sha256 ~ '^[0-9a-f]{64}$'),
  scopes       text[] not null check (scopes <@ array['read', 'submit', 'manage', 'metrics'] and cardinality(scopes) > 0),
  per_minute   integer not null check (per_minute between 1 and 1000000),
  created_at   timestamptz not null default inbox_private.clock(),
  expires_at   timestamptz,
  last_used_at timestamptz,
  revoked_at   timestamptz
);
alter table public.inbox_api_keys enable row level security;

create function inbox_private.api_key(k public.inbox_api_keys) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(k) - 'sha256';
$$;

create function public.inbox_create_api_key(
  p_id uuid, p_name text, p_client_id text, p_hint text, p_sha256 text, p_scopes jsonb, p_per_minute integer,
  p_expires_at timestamptz default null) returns jsonb
language sql security definer set search_path = '' as $$
  insert into public.inbox_api_keys (id, name, client_id, hint, sha256, scopes, per_minute, expires_at)
  values (p_id, p_name, p_client_id, p_hint, p_sha256, array(select jsonb_array_elements_text(p_scopes)), p_per_minute, p_expires_at)
  on conflict (id) do update set id = excluded.id returning inbox_private.api_key(inbox_api_keys);
$$;

create function public.inbox_list_api_keys() returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(inbox_private.api_key(k) order by k.created_at, k.id), '[]')
    from (select * from public.inbox_api_keys order by created_at, id limit 1000) k;
$$;

create function public.inbox_revoke_api_key(p_id uuid) returns jsonb
language sql security definer set search_path = '' as $$
  update public.inbox_api_keys set revoked_at = coalesce(revoked_at, inbox_private.clock())
   where id = p_id returning inbox_private.api_key(inbox_api_keys);
$$;

-- {configured, key}: whether there ever was a key, and the key with this digest if it is good.
create function public.inbox_check_api_key(p_sha256 text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := inbox_private.clock();
  k public.inbox_api_keys;
begin
  select * into k from public.inbox_api_keys
   where sha256 = p_sha256 and revoked_at is null and (expires_at is null or expires_at > v_now);
  if found and (k.last_used_at is null or k.last_used_at < v_now - interval '1 minute') then
    update public.inbox_api_keys set last_used_at = v_now where id = k.id;
  end if;
  return jsonb_build_object('configured', exists (select from public.inbox_api_keys),
                            'key', case when k.id is not null then inbox_private.api_key(k) end);
end $$;

-- ---------------------------------------------------------------- webhooks

create table public.inbox_webhooks (
  id              uuid primary key,
  client_id       text not null check (char_length(client_id) between 1 and 200),
  url             text not null check (char_length(url) between 1 and 2000),
  secret          text not null,
  events          text[] not null check (events <@ array['job.completed', 'job.failed', 'job.cancelled'] and cardinality(events) > 0),
  created_at      timestamptz not null default inbox_private.clock(),
  disabled_at     timestamptz,
  disabled_reason text,
  constraint disabled_for_a_reason check ((disabled_at is null) = (disabled_reason is null))
);
create index inbox_webhooks_client on public.inbox_webhooks (client_id, created_at);

-- The outbox: written in the transaction of the change it tells of. due_at is also the lease of
-- whoever is delivering: a deliverer that dies leaves a message that becomes due again.
create table public.inbox_webhook_messages (
  id           uuid primary key default gen_random_uuid(),
  webhook_id   uuid not null references public.inbox_webhooks on delete cascade,
  job_id       uuid,
  type         text not null check (char_length(type) between 1 and 64),
  payload      jsonb not null,
  state        text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
  attempts     integer not null default 0 check (attempts >= 0),
  replays      integer not null default 0 check (replays >= 0),
  due_at       timestamptz not null default inbox_private.clock(),
  created_at   timestamptz not null default inbox_private.clock(),
  settled_at   timestamptz,
  constraint settled_iff_over check ((settled_at is null) = (state = 'pending'))
);
create index inbox_webhook_messages_due on public.inbox_webhook_messages (webhook_id, due_at) where state = 'pending';
create index inbox_webhook_messages_list on public.inbox_webhook_messages (webhook_id, created_at desc);
create index inbox_webhook_messages_age on public.inbox_webhook_messages (created_at);

-- The log: one row for each attempt.
create table public.inbox_webhook_attempts (
  message_id uuid not null references public.inbox_webhook_messages on delete cascade,
  replay     integer not null,
  attempt    integer not null check (attempt >= 1),
  at         timestamptz not null default inbox_private.clock(),
  status     integer,
  error_code text check (char_length(error_code) <= 64),
  seconds    double precision not null check (seconds >= 0),
  primary key (message_id, replay, attempt)
);
alter table public.inbox_webhooks enable row level security;
alter table public.inbox_webhook_messages enable row level security;
alter table public.inbox_webhook_attempts enable row level security;

create function inbox_private.post_to_webhooks() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.inbox_webhook_messages (webhook_id, job_id, type, payload)
  select w.id, new.id, 'job.' || new.status, jsonb_build_object(
           'type', 'job.' || new.status, 'timestamp', new.finished_at,
           'data', inbox_private.job_summary(new) || jsonb_build_object(
             'successful', new.result -> 'successful', 'failed', new.result -> 'failed'))
    from public.inbox_webhooks w
   where w.client_id = new.client_id and w.disabled_at is null and 'job.' || new.status = any (w.events);
  return null;
end $$;
create trigger post_to_webhooks after update of status on public.inbox_jobs for each row
  when (new.finished_at is not null and old.finished_at is null) execute function inbox_private.post_to_webhooks();

create function inbox_private.webhook(w public.inbox_webhooks) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(w) - 'secret' - 'client_id';
$$;

create function public.inbox_create_webhook(
  p_id uuid, p_client_id text, p_url text, p_secret text, p_events jsonb, p_most integer default 20) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  w public.inbox_webhooks;
begin
  perform pg_advisory_xact_lock(hashtextextended('inbox_webhooks ' || p_client_id, 0));
  if (select count(*) from public.inbox_webhooks where client_id = p_client_id and id <> p_id) >= p_most then
    perform inbox_private.refuse('invalid_request', format('a client has %s webhooks at most; delete one first', p_most));
  end if;
  insert into public.inbox_webhooks (id, client_id, url, secret, events)
  values (p_id, p_client_id, p_url, p_secret, array(select jsonb_array_elements_text(p_events)))
  on conflict (id) do nothing;
  select * into w from public.inbox_webhooks where id = p_id and client_id = p_client_id;
  return inbox_private.webhook(w);
end $$;

create function public.inbox_list_webhooks(p_client_id text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(inbox_private.webhook(w) order by w.created_at, w.id), '[]')
    from (select * from public.inbox_webhooks where p_client_id is null or client_id = p_client_id
           order by created_at, id limit 500) w;
$$;

create function public.inbox_delete_webhook(p_id uuid, p_client_id text default null) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  delete from public.inbox_webhooks where id = p_id and (p_client_id is null or client_id = p_client_id);
  return found;
end $$;

create function public.inbox_enable_webhook(p_id uuid, p_client_id text default null) returns jsonb
language sql security definer set search_path = '' as $$
  update public.inbox_webhooks set disabled_at = null, disabled_reason = null
   where id = p_id and (p_client_id is null or client_id = p_client_id) returning inbox_private.webhook(inbox_webhooks);
$$;

create function inbox_private.webhook_message(m public.inbox_webhook_messages) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('id', m.id, 'job_id', m.job_id, 'type', m.type, 'state', m.state, 'created_at', m.created_at,
    'due_at', case when m.state = 'pending' then m.due_at end, 'settled_at', m.settled_at, 'attempts', (
      select coalesce(jsonb_agg(jsonb_build_object('replay', a.replay, 'attempt', a.attempt, 'at', a.at, 'status', a.status,
               'error_code', a.error_code, 'seconds', a.seconds) order by a.replay, a.attempt), '[]')
        from public.inbox_webhook_attempts a where a.message_id = m.id));
$$;

-- The latest messages of a webhook with the log of their attempts, newest first; null where there
-- is no such webhook of this client's.
create function public.inbox_webhook_log(p_id uuid, p_client_id text default null, p_limit integer default 50) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce((select jsonb_agg(inbox_private.webhook_message(m) order by m.created_at desc, m.id)
                     from (select * from public.inbox_webhook_messages where webhook_id = w.id
                            order by created_at desc, id limit least(greatest(p_limit, 1), 200)) m), '[]')
    from public.inbox_webhooks w where w.id = p_id and (p_client_id is null or w.client_id = p_client_id);
$$;

-- A message that tells of nothing but that the webhook works; null where there is no such webhook.
create function public.inbox_test_webhook(p_id uuid, p_client_id text, p_message_id uuid) returns jsonb
language sql security definer set search_path = '' as $$
  insert into public.inbox_webhook_messages (id, webhook_id, type, payload)
  select p_message_id, w.id, 'webhook.test', jsonb_build_object('type', 'webhook.test', 'timestamp', inbox_private.clock(),
           'data', jsonb_build_object('webhook_id', w.id))
    from public.inbox_webhooks w where w.id = p_id and (p_client_id is null or w.client_id = p_client_id)
  on conflict (id) do update set id = excluded.id returning inbox_private.webhook_message(inbox_webhook_messages);
$$;

-- Send a message that is over once more, under the id it had; null where there is no such message.
create function public.inbox_replay_message(p_message_id uuid, p_client_id text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  m public.inbox_webhook_messages;
begin
  update public.inbox_webhook_messages o
     set state = 'pending', attempts = 0, replays = replays + 1, due_at = inbox_private.clock(), settled_at = null
    from public.inbox_webhooks w
   where o.id = p_message_id and w.id = o.webhook_id and (p_client_id is null or w.client_id = p_client_id) and o.state <> 'pending';
  select o.* into m from public.inbox_webhook_messages o join public.inbox_webhooks w on w.id = o.webhook_id
   where o.id = p_message_id and (p_client_id is null or w.client_id = p_client_id);
  return case when m.id is not null then inbox_private.webhook_message(m) end;
end $$;

-- Take messages that are due, for so many seconds; two of a webhook at a time at most, so that
-- one that never answers does not keep the others waiting.
create function public.inbox_claim_messages(p_limit integer, p_seconds double precision, p_max_attempts integer) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := inbox_private.clock();
  v_claimed jsonb;
begin
  update public.inbox_webhook_messages set state = 'failed', settled_at = v_now
   where state = 'pending' and due_at <= v_now and attempts >= p_max_attempts;
  with due as (
    select m.id from public.inbox_webhooks w
     cross join lateral (select o.id, o.due_at from public.inbox_webhook_messages o
                          where o.webhook_id = w.id and o.state = 'pending' and o.due_at <= v_now
                          order by o.due_at limit 2 for update skip locked) m
     where w.disabled_at is null
       and w.id in (select webhook_id from public.inbox_webhook_messages where state = 'pending' and due_at <= v_now)
     limit p_limit),
  taken as (
    update public.inbox_webhook_messages m
       set attempts = attempts + 1, due_at = v_now + make_interval(secs => p_seconds)
      from due where m.id = due.id returning m.*)
  select jsonb_agg(jsonb_build_object('id', t.id, 'webhook_id', t.webhook_id, 'url', w.url, 'secret', w.secret,
           'payload', t.payload, 'attempt', t.attempts, 'replay', t.replays))
    into v_claimed from taken t join public.inbox_webhooks w on w.id = t.webhook_id;
  return coalesce(v_claimed, '[]');
end $$;

-- Write down how an attempt went. p_verdict: delivered, retry (in p_retry_seconds) or gone (410:
-- the webhook is disabled). Answers the message's state; null where the attempt is not the last.
create function public.inbox_settle_message(
  p_message_id uuid, p_replay integer, p_attempt integer, p_verdict text, p_status integer, p_error_code text,
  p_seconds double precision, p_retry_seconds double precision, p_max_attempts integer) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := inbox_private.clock();
  m public.inbox_webhook_messages;
begin
  update public.inbox_webhook_messages
     set state = case when p_verdict = 'delivered' then 'delivered'
                      when p_verdict = 'gone' or attempts >= p_max_attempts then 'failed' else 'pending' end,
         settled_at = case when p_verdict = 'retry' and attempts < p_max_attempts then null else v_now end,
         due_at = v_now + make_interval(secs => p_retry_seconds)
   where id = p_message_id and replays = p_replay and attempts = p_attempt and state = 'pending' returning * into m;
  if not found then
    return (select state from public.inbox_webhook_messages where id = p_message_id and replays = p_replay and attempts = p_attempt);
  end if;
  insert into public.inbox_webhook_attempts (message_id, replay, attempt, status, error_code, seconds)
  values (p_message_id, p_replay, p_attempt, p_status, p_error_code, p_seconds) on conflict do nothing;
  if p_verdict = 'gone' then
    update public.inbox_webhooks set disabled_at = coalesce(disabled_at, v_now), disabled_reason = coalesce(disabled_reason, 'gone')
     where id = m.webhook_id;
  end if;
  return m.state;
end $$;

-- ---------------------------------------------------------------- what expires

create index inbox_jobs_finished on public.inbox_jobs (finished_at) where finished_at is not null;
create index inbox_files_finished on public.inbox_files (finished_at) where finished_at is not null;

-- Jobs that have been over for longer than so many seconds, the oldest first.
create function public.inbox_expired_jobs(p_seconds double precision, p_limit integer default 100) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(id), '[]') from (
    select id from public.inbox_jobs where finished_at < inbox_private.clock() - make_interval(secs => p_seconds)
     order by finished_at limit least(greatest(p_limit, 1), 1000)) expired;
$$;

-- Forget what nobody asks for any more: delivered and failed messages, keys of submissions. How many.
create function public.inbox_forget_old(p_seconds double precision) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  v_before timestamptz := inbox_private.clock() - make_interval(secs => p_seconds);
  v_messages integer;
  v_keys integer;
begin
  delete from public.inbox_webhook_messages where created_at < v_before and state <> 'pending';
  get diagnostics v_messages = row_count;
  delete from public.inbox_submissions where created_at < v_before and not exists (
    select from public.inbox_jobs j where j.id = job_id and j.finished_at is null);
  get diagnostics v_keys = row_count;
  return v_messages + v_keys;
end $$;

-- ---------------------------------------------------------------- for Prometheus

-- How it goes: what waits and for how long, and what was done in the last so many seconds.
create function public.inbox_metrics(p_seconds double precision default 300) returns jsonb
language sql stable security definer set search_path = '' as $$
  with recent as (
    select * from public.inbox_files where finished_at > inbox_private.clock() - make_interval(secs => p_seconds))
  select jsonb_build_object(
    'pending_jobs', (select count(*) from public.inbox_jobs where status = 'pending'),
    'processing_jobs', (select count(*) from public.inbox_jobs where status = 'processing'),
    'pending_files', (select coalesce(sum(total_files - processed_files), 0) from public.inbox_jobs where status in ('pending', 'processing')),
    'oldest_pending_seconds', (select coalesce(extract(epoch from inbox_private.clock() - min(created_at)), 0) from public.inbox_jobs where status = 'pending'),
    'webhook_messages_waiting', (select count(*) from public.inbox_webhook_messages where state = 'pending'),
    'finished_files', (select count(*) from recent where status = 'completed'),
    'review_files', (select count(*) from recent where needs_review),
    'pages', (select coalesce(sum(pages), 0) from recent),
    'ocr_pages', (select coalesce(sum(ocr_pages), 0) from recent),
    'cost', (select coalesce(sum((details ->> 'cost')::numeric), 0) from recent where jsonb_typeof(details -> 'cost') = 'number'),
    'errors', (select coalesce(jsonb_object_agg(error_code, n), '{}') from (
        select error_code, count(*) as n from recent where error_code is not null group by error_code) e));
$$;

-- ---------------------------------------------------------------- who may call what

revoke all on all functions in schema inbox_private from public;
revoke all on public.inbox_events, public.inbox_api_keys, public.inbox_webhooks, public.inbox_webhook_messages,
  public.inbox_webhook_attempts from public;
do $$
declare
  v_role text;
  v_function regprocedure;
begin
  for v_function in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                     where n.nspname = 'public' and p.proname in (
                       'inbox_watch_job', 'inbox_last_events', 'inbox_job_events', 'inbox_accept_job', 'inbox_find_jobs',
                       'inbox_create_api_key', 'inbox_list_api_keys', 'inbox_revoke_api_key', 'inbox_check_api_key',
                       'inbox_create_webhook', 'inbox_list_webhooks', 'inbox_delete_webhook', 'inbox_enable_webhook',
                       'inbox_webhook_log', 'inbox_test_webhook', 'inbox_replay_message', 'inbox_claim_messages',
                       'inbox_settle_message', 'inbox_expired_jobs', 'inbox_forget_old', 'inbox_metrics') loop
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
      execute format('revoke all on public.inbox_events, public.inbox_api_keys, public.inbox_webhooks, '
        'public.inbox_webhook_messages, public.inbox_webhook_attempts from %I', v_role);
      execute format('revoke all on all functions in schema inbox_private from %I', v_role);
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.inbox_events, public.inbox_webhook_messages, public.inbox_webhook_attempts to service_role;
    grant all on public.inbox_webhooks, public.inbox_api_keys to service_role;
  end if;
end $$;
notify pgrst, 'reload schema';
