-- What language models cost, what they answered, and jobs that wait for one that is away.

-- A call is counted at the most that it can cost until its server has said what it took.
create table public.inbox_model_calls (
  id            uuid primary key,
  job_id        uuid not null references public.inbox_jobs on delete cascade,
  file_id       uuid not null references public.inbox_files on delete cascade,
  model         text not null check (char_length(model) between 1 and 200),
  settled       boolean not null default false,
  input_tokens  bigint not null default 0 check (input_tokens >= 0),
  cached_tokens bigint not null default 0 check (cached_tokens >= 0),
  output_tokens bigint not null default 0 check (output_tokens >= 0),
  money         numeric check (money >= 0),
  created_at    timestamptz not null default inbox_private.clock()
);
create index inbox_model_calls_job on public.inbox_model_calls (job_id);
create index inbox_model_calls_file on public.inbox_model_calls (file_id);
comment on column public.inbox_model_calls.money is 'US dollars; null where the price of the model is unknown.';

-- What a client's calls of one day (UTC) cost. It outlives the jobs: deleting one gives no money back.
create table public.inbox_model_days (
  client_id text not null check (char_length(client_id) between 1 and 200),
  day       date not null,
  money     numeric not null default 0 check (money >= 0),
  calls     bigint not null default 0 check (calls >= 0),
  primary key (client_id, day)
);

-- Answers to be used again by the same client. They hold what documents say: they go with the job
-- that they were made for, and after their time.
create table public.inbox_model_answers (
  client_id  text not null check (char_length(client_id) between 1 and 200),
  key        text not null check (key ~ '^[0-9a-f]{64}$'),
  job_id     uuid not null references public.inbox_jobs on delete cascade,
  answer     text not null check (char_length(answer) <= 1000000),
  expires_at timestamptz not null,
  primary key (client_id, key)
);
create index inbox_model_answers_job on public.inbox_model_answers (job_id);
create index inbox_model_answers_old on public.inbox_model_answers (expires_at);

alter table public.inbox_model_calls enable row level security;
alter table public.inbox_model_days enable row level security;
alter table public.inbox_model_answers enable row level security;

-- Set aside what a call may cost. Answers 'ok'; 'job', 'client': whose budget does not allow it;
-- 'lost' without the lease. The same call again is the same call.
create function public.inbox_reserve_model_call(
  p_job_id uuid, p_token bigint, p_file_id uuid, p_call_id uuid, p_model text, p_money double precision default null,
  p_job_budget double precision default null, p_daily_budget double precision default null) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_client text;
  v_day date := (inbox_private.clock() at time zone 'UTC')::date;
  v_money numeric := p_money::numeric;
  v_spent numeric;
begin
  select client_id into v_client from public.inbox_jobs
   where id = p_job_id and status = 'processing' and lease_token = p_token and lease_expires_at > inbox_private.clock();
  if not found then return 'lost'; end if;
  -- Whoever counts what a client has spent holds this row, so that two calls cannot both fit.
  insert into public.inbox_model_days as d (client_id, day) values (v_client, v_day)
  on conflict (client_id, day) do update set calls = d.calls returning d.money into v_spent;
  if exists (select from public.inbox_model_calls where id = p_call_id) then return 'ok'; end if;
  if v_money is null and (p_job_budget is not null or p_daily_budget is not null) then
    return case when p_job_budget is null then 'client' else 'job' end;
  end if;
  if v_spent + v_money > p_daily_budget::numeric then return 'client'; end if;
  perform pg_advisory_xact_lock(hashtextextended(p_job_id::text, 0));  -- the client's day may change meanwhile
  select coalesce(sum(money), 0) into v_spent from public.inbox_model_calls where job_id = p_job_id;
  if v_spent + v_money > p_job_budget::numeric then return 'job'; end if;
  insert into public.inbox_model_calls (id, job_id, file_id, model, money)
  values (p_call_id, p_job_id, p_file_id, left(p_model, 200), v_money);
  update public.inbox_model_days set money = money + coalesce(v_money, 0), calls = calls + 1
   where client_id = v_client and day = v_day;
  return 'ok';
end $$;

-- Say what a call took, once, and keep its answer. Needs no lease: the money is spent.
create function public.inbox_settle_model_call(
  p_call_id uuid, p_input_tokens bigint, p_cached_tokens bigint, p_output_tokens bigint, p_money double precision default null,
  p_key text default null, p_answer text default null, p_keep_seconds double precision default 0) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  c public.inbox_model_calls;
  v_client text;
  v_now timestamptz := inbox_private.clock();
begin
  select * into c from public.inbox_model_calls where id = p_call_id and not settled;
  if not found then return false; end if;
  select client_id into v_client from public.inbox_jobs where id = c.job_id;
  -- The day first, as in inbox_reserve_model_call: one order of locks.
  update public.inbox_model_days set money = greatest(0, money - coalesce(c.money, 0) + coalesce(p_money::numeric, 0))
   where client_id = v_client and day = (c.created_at at time zone 'UTC')::date
     and exists (select from public.inbox_model_calls where id = p_call_id and not settled);
  update public.inbox_model_calls
     set settled = true, input_tokens = p_input_tokens, cached_tokens = p_cached_tokens,
         output_tokens = p_output_tokens, money = p_money::numeric
   where id = p_call_id and not settled;
  if not found then return false; end if;
  if p_key is not null and p_keep_seconds > 0 and char_length(p_answer) <= 1000000 then
    insert into public.inbox_model_answers (client_id, key, job_id, answer, expires_at)
    values (v_client, p_key, c.job_id, p_answer, v_now + make_interval(secs => p_keep_seconds))
    on conflict (client_id, key) do update
       set job_id = excluded.job_id, answer = excluded.answer, expires_at = excluded.expires_at;
    delete from public.inbox_model_answers where (client_id, key) in (
      select client_id, key from public.inbox_model_answers where expires_at <= v_now
       order by expires_at limit 100 for update skip locked);
  end if;
  return true;
end $$;

create function public.inbox_recall_model_answer(p_client_id text, p_key text) returns text
language sql stable security definer set search_path = '' as $$
  select answer from public.inbox_model_answers
   where client_id = p_client_id and key = p_key and expires_at > inbox_private.clock();
$$;

-- A file's cost is the sum of its calls, in whatever attempt and whatever became of them.
create function inbox_private.bill_file() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_cost jsonb;
begin
  select jsonb_build_object('calls', count(*) filter (where not settled or input_tokens + output_tokens > 0),
           'input_tokens', sum(input_tokens), 'cached_tokens', sum(cached_tokens), 'output_tokens', sum(output_tokens),
           'money', case when count(*) = count(money) then round(sum(money), 8) end, 'from_cache',
           coalesce((new.details->'cost'->>'from_cache')::boolean, false))
    into v_cost from public.inbox_model_calls where file_id = new.id having count(*) > 0;
  if v_cost is not null then
    new.details := new.details || jsonb_build_object('cost', v_cost);
  end if;
  return new;
end $$;
create trigger bill_file before update of finished_at on public.inbox_files
  for each row when (old.finished_at is null and new.finished_at is not null)
  execute function inbox_private.bill_file();

-- What a job asks a model for has the form that workers expect, whoever queued it.
create function inbox_private.guard_fields() returns trigger
language plpgsql set search_path = '' as $$
begin
  if jsonb_typeof(new.options->'fields') is distinct from 'array' or jsonb_array_length(new.options->'fields') > 50
     or exists (select from jsonb_array_elements(new.options->'fields') f where not coalesce(
          jsonb_typeof(f) = 'object' and f - array['name', 'description', 'kind'] = '{}'
          and jsonb_typeof(f->'name') = 'string' and f->>'name' ~ '^[^\x01-\x1f]{1,64}$'
          and (not f ? 'description' or jsonb_typeof(f->'description') = 'string' and char_length(f->>'description') <= 1000)
          and (not f ? 'kind' or f->>'kind' in ('text', 'date', 'amount')), false))
     or (select count(*) > count(distinct f->>'name') from jsonb_array_elements(new.options->'fields') f) then
    raise exception 'fields are a list of 50 objects at most, each with a name of its own, and optionally a description and a kind: text, date or amount'
      using errcode = '22023', detail = 'invalid_request';
  end if;
  return new;
end $$;
create trigger guard_fields before insert or update of options on public.inbox_jobs
  for each row when (new.options ? 'fields') execute function inbox_private.guard_fields();

-- ---------------------------------------------------------------- jobs that wait for a model

-- Since when a job has been put off without a file of it being done, and how often.
alter table public.inbox_jobs
  add column postponed_since timestamptz,
  add column postponed_at_file integer,
  add column postponed integer not null default 0 check (postponed >= 0);

-- Whether the job may be put off once more: not where it made no step for so many seconds.
create function public.inbox_may_postpone_job(p_job_id uuid, p_longest_seconds double precision) returns boolean
language sql stable security definer set search_path = '' as $$
  select coalesce((select p_longest_seconds > 0 and (postponed_since is null or postponed_at_file < processed_files
           or postponed_since + make_interval(secs => p_longest_seconds) > inbox_private.clock())
    from public.inbox_jobs where id = p_job_id), false);
$$;

-- Hand the job back uncharged, to be taken no sooner than in so many seconds, longer each time.
create function public.inbox_postpone_job(
  p_job_id uuid, p_token bigint, p_seconds double precision) returns text
language plpgsql security definer set search_path = '' as $$
declare
  j public.inbox_jobs;
  v_outcome text;
begin
  if not inbox_private.hold(p_job_id, p_token) then
    select case when outcome = 'released' then 'pending' else outcome end into v_outcome
      from public.inbox_attempts where token = p_token and job_id = p_job_id and outcome <> 'lapsed';
    return coalesce(v_outcome, 'lost');
  end if;
  update public.inbox_jobs
     set postponed = case when postponed_at_file = processed_files then postponed + 1 else 1 end,
         postponed_since = case when postponed_at_file = processed_files then postponed_since else inbox_private.clock() end,
         postponed_at_file = processed_files
   where id = p_job_id returning * into j;
  return inbox_private.end_attempt(p_job_id, 'released', false, false,
    greatest(p_seconds, least(900, p_seconds * power(2, least(j.postponed, 20) - 1))) * (1 + random() / 4));
end $$;

-- ---------------------------------------------------------------- who may call what

revoke all on all functions in schema inbox_private from public;
do $$
declare
  v_function regprocedure;
  v_role text;
begin
  for v_function in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                     where n.nspname = 'public' and p.proname in (
                       'inbox_reserve_model_call', 'inbox_settle_model_call', 'inbox_recall_model_answer',
                       'inbox_may_postpone_job', 'inbox_postpone_job') loop
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
    revoke all on public.inbox_model_calls, public.inbox_model_days, public.inbox_model_answers from anon, authenticated;
  end if;
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.inbox_model_calls, public.inbox_model_days, public.inbox_model_answers to service_role;
    -- Other migrations grant this one to it; the revocation above is of public only.
    grant execute on function inbox_private.clock() to service_role;
  end if;
end $$;
notify pgrst, 'reload schema';
