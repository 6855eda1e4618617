-- What a later version may do to the tables and functions, done to all of them: columns with
-- defaults, one more argument with a default for every function, more in every answer.
alter table public.inbox_jobs add column later text not null default 'x';
alter table public.inbox_files add column later jsonb not null default '{"x": [1]}';
alter table public.inbox_attempts add column later timestamptz;
create schema later;

-- Everything in an answer says more, but for maps, whose keys are data.
create function later.more(p_value jsonb) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  return case jsonb_typeof(p_value)
    when 'object' then (
      select coalesce(jsonb_object_agg(key, case when key = 'errors' then value else later.more(value) end), '{}')
        from jsonb_each(p_value)) || '{"later": {"x": [1]}}'
    when 'array' then (
      select coalesce(jsonb_agg(later.more(value) order by n), '[]')
        from jsonb_array_elements(p_value) with ordinality e (value, n))
    else p_value end;
end $$;

do $do$
declare
  f record;
begin
  for f in
    select p.oid, p.proname, pg_get_function_arguments(p.oid) as arguments, format_type(p.prorettype, null) as answers,
           coalesce((select string_agg(quote_ident(n), ', ') from unnest(p.proargnames) n), '') as passed,
           pg_get_function_identity_arguments(p.oid) as identity, p.proacl
      from pg_proc p
     where pronamespace = 'public'::regnamespace and proname like 'inbox%' and prokind = 'f'
       and prorettype <> 'trigger'::regtype
  loop
    execute format('alter function public.%I(%s) set schema later', f.proname, f.identity);
    execute format(
      'create function public.%I(%s) returns %s language sql security definer set search_path = '''' as $f$ select %s $f$',
      f.proname, concat_ws(', ', nullif(f.arguments, ''), 'p_later text default null'), f.answers,
      format(case when f.answers = 'jsonb' and f.proname <> 'inbox_last_events' then 'later.more(later.%I(%s))'
                  else 'later.%I(%s)' end, f.proname, f.passed));
    execute format('revoke all on function public.%I from public', f.proname);
    if exists (select from pg_roles where rolname = 'service_role') then
      execute format('grant execute on function public.%I to service_role', f.proname);
    end if;
  end loop;
end $do$;
