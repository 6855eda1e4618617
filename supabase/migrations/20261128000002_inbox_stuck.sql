-- A job that does not move says so itself: why, and what to do, as inbox_stuck does for all jobs.
create or replace function public.inbox_job_view(p_job_id uuid, p_client_id text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select inbox_private.job_summary(j) || jsonb_build_object(
    'started_at', j.started_at, 'finished_at', j.finished_at, 'attempt', j.attempt,
    'cancel_requested', j.cancel_requested_at is not null, 'options', j.options,
    'stuck', (select jsonb_build_object('code', s.why, 'message', s.next_step)
                from public.inbox_stuck s where s.job_id = j.id),
    'result', case when j.result is not null then j.result
                   when j.processed_files > 0
                        or exists (select from public.inbox_files f where f.job_id = j.id and f.pages_done is not null)
                   then inbox_private.job_result(j.id) end)
    from public.inbox_jobs j
   where j.id = p_job_id and (p_client_id is null or j.client_id = p_client_id);
$$;
