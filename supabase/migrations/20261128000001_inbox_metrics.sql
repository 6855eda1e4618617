-- The cost of a file is an object, of which money is a part: the metric said 0 whatever models cost.
create or replace function public.inbox_metrics(p_seconds double precision default 300) returns jsonb
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
    'cost', (select coalesce(sum((details #>> '{cost,money}')::numeric), 0) from recent),
    'errors', (select coalesce(jsonb_object_agg(error_code, n), '{}') from (
        select error_code, count(*) as n from recent where error_code is not null group by error_code) e));
$$;
