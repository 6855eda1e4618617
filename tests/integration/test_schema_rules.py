"""What Supabase's database linter asks of a schema, asked of ours; and that each rule can fail."""

from __future__ import annotations

import psycopg
import pytest

from inbox.store.migrate import migration_files, version_of

OURS = "('public', 'inbox_private')"
WHO = "(values ('anon'), ('authenticated')) who (rolname)"
# The functions that users are meant to call; each asks who they are.
FOR_USERS = (
    "inbox_submit_job",
    "inbox_put_label_set",
    "inbox_label_set",
    "inbox_list_label_sets",
    "inbox_delete_label_set",
    "inbox_correct_file",
)

RULES: dict[str, tuple[str, str]] = {
    "every foreign key has an index": (
        f"""select c.conname from pg_constraint c
             where c.contype = 'f' and c.connamespace::regnamespace::text in {OURS}
               and not exists (select from pg_index i where i.indrelid = c.conrelid
                 and (i.indkey::int2[])[0 : cardinality(c.conkey) - 1] = c.conkey)""",
        """create table public.damage (id int primary key, job uuid references inbox_jobs);
           alter table public.damage enable row level security""",
    ),
    "no two indexes are the same": (
        f"""select indrelid::regclass from pg_index
              join pg_class on pg_class.oid = indrelid
             where relnamespace::regnamespace::text in {OURS}
             group by indrelid, indkey::text, indclass::text, indoption::text,
                      coalesce(pg_get_expr(indpred, indrelid), '') having count(*) > 1""",
        "create index damage on inbox_jobs (created_at desc, id desc)",
    ),
    "every table has a primary key": (
        f"""select c.oid::regclass from pg_class c
             where relkind = 'r' and relnamespace::regnamespace::text in {OURS}
               and not exists (select from pg_index where indrelid = c.oid and indisprimary)""",
        "create table public.damage (id int)",
    ),
    "every table has row level security": (
        f"""select oid::regclass from pg_class where relkind in ('r', 'p')
               and relnamespace::regnamespace::text in {OURS} and not relrowsecurity""",
        "alter table inbox_files disable row level security",
    ),
    "no table is granted to users without a policy": (
        f"""select c.oid::regclass from pg_class c, {WHO}
             where relkind = 'r' and relnamespace::regnamespace::text in {OURS}
               and has_any_column_privilege(rolname, c.oid, 'select, insert, update')
               and not exists (select from pg_policy where polrelid = c.oid)""",
        "grant select on inbox_attempts to authenticated",
    ),
    "users may read, and nothing else": (
        f"""select c.oid::regclass from pg_class c, {WHO}
             where relkind in ('r', 'v') and relname like 'inbox%'
               and (has_table_privilege(rolname, c.oid, 'delete, truncate, trigger')
                    or has_any_column_privilege(rolname, c.oid, 'insert, update, references')
                    or rolname = 'anon' and has_any_column_privilege(rolname, c.oid, 'select'))""",
        "grant update (name) on inbox_files to authenticated",
    ),
    "no lease, token or storage key is granted": (
        f"""select attrelid::regclass, attname from pg_attribute, {WHO}
             where attrelid in ('inbox_jobs'::regclass, 'inbox_files'::regclass) and attnum > 0
               and (attname like 'lease%' or attname in ('storage_key', 'sha256', 'client_id'))
               and has_column_privilege(rolname, attrelid, attnum, 'select')""",
        "grant select (storage_key) on inbox_files to authenticated",
    ),
    "no policy asks who is asking row by row": (
        """select policyname from pg_policies,
                  lateral (select concat(qual, ' ', with_check) as rule) r
            where regexp_count(rule, 'auth\\.(uid|jwt|role)\\(|current_setting\\(')
                > regexp_count(rule, 'SELECT \\(*(auth\\.(uid|jwt|role)|current_setting)\\(')""",
        """create policy damage on inbox_attempts for select to authenticated
           using (owner = auth.uid()::text)""",
    ),
    "no policy trusts what users write themselves": (
        "select policyname from pg_policies where concat(qual, with_check) like '%user_metadata%'",
        """create policy damage on inbox_attempts for select to authenticated
           using (owner = (select auth.jwt() -> 'user_metadata' ->> 'name'))""",
    ),
    "no policy is always true": (
        "select policyname from pg_policies where qual = 'true' or with_check = 'true'",
        "create policy damage on inbox_attempts for select to authenticated using (true)",
    ),
    "one policy decides a table, role and verb": (
        """select tablename from pg_policies, unnest(roles) as role
            where schemaname = 'public' and permissive = 'PERMISSIVE'
            group by tablename, role, cmd having count(*) > 1""",
        """create policy damage on inbox_jobs for select to authenticated using (status = 'x')""",
    ),
    "every policy is of signed-in users": (
        "select policyname from pg_policies where roles <> '{authenticated}'",
        "create policy damage on inbox_attempts for select using (owner is null)",
    ),
    "every function has a fixed search_path": (
        f"""select oid::regprocedure from pg_proc
             where pronamespace::regnamespace::text in {OURS}
               and not coalesce(proconfig && array['search_path=""'], false)""",
        "create function public.damage() returns int language sql as 'select 1'",
    ),
    "no function with its owner's rights is for users, but these": (
        f"""select p.oid::regprocedure from pg_proc p, {WHO}
             where prosecdef and pronamespace::regnamespace::text in {OURS}
               and has_function_privilege(rolname, p.oid, 'execute')
               and not (rolname = 'authenticated' and proname in {FOR_USERS})""",
        "grant execute on function inbox_job_view(uuid, text) to anon",
    ),
    "no view has its owner's rights": (
        f"""select oid::regclass from pg_class
             where relkind = 'v' and relnamespace::regnamespace::text in {OURS}
               and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on'],
                                false)""",
        "create view public.damage as select id from inbox_jobs",
    ),
    "no view shows the users of the project": (
        f"""select distinct v.oid::regclass from pg_class v
              join pg_rewrite r on r.ev_class = v.oid
              join pg_depend d on d.objid = r.oid and d.refobjid = 'auth.users'::regclass
             where v.relnamespace::regnamespace::text in {OURS}""",
        "create view public.damage with (security_invoker = true) as select email from auth.users",
    ),
    "nothing else is in the schema that the API serves": (
        """select oid::regclass from pg_class where relkind in ('m', 'f')
            and relnamespace = 'public'::regnamespace
           union all select null from pg_extension where extnamespace = 'public'::regnamespace""",
        "create materialized view public.damage as select 1",
    ),
    "Realtime tells of jobs and files, by their primary key": (
        """select t from unnest(array['inbox_jobs', 'inbox_files']) t
            where not exists (select from pg_publication_tables
                    where pubname = 'supabase_realtime' and tablename = t)
               or (select relreplident from pg_class where relname = t) <> 'd'
           union all select tablename::text from pg_publication_tables
            where pubname = 'supabase_realtime'
              and tablename not in ('inbox_jobs', 'inbox_files')""",
        "alter publication supabase_realtime drop table inbox_jobs",
    ),
    "the bucket is private": (
        """select 'inbox' where not exists (
               select from storage.buckets where id = 'inbox' and not public)""",
        "update storage.buckets set public = true",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_the_schema_follows_the_rule(project_url: str, rule: str) -> None:
    """On a project with the generous default rights of older ones; and the rule can be broken."""
    query, damage = RULES[rule]
    with psycopg.connect(project_url) as connection:
        assert connection.execute(query.encode()).fetchall() == []
        connection.execute(damage.encode())
        assert connection.execute(query.encode()).fetchall() != []
        connection.rollback()


def test_a_plain_postgres_takes_the_same_migrations(database_url: str) -> None:
    """Without a project's schemas there is no policy and no bucket, and the queue is the same."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select (select count(*) from pg_policies), to_regclass('storage.buckets'),"
            " (select count(*) from pg_attribute where attrelid = 'inbox_jobs'::regclass"
            "   and attname = 'owner_id'), inbox_private.requester()"
        ).fetchone()
    assert row == (0, None, 1, None)


def test_whose_job_it_is_never_changes(project_url: str) -> None:
    """Not even by the owner of the database."""
    with psycopg.connect(project_url, autocommit=True) as connection:
        connection.execute("insert into inbox_jobs default values")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("update inbox_jobs set owner_id = gen_random_uuid()")


def test_every_migration_has_a_version_of_its_own() -> None:
    """Of two with one version the history would know only the first, and the other never run."""
    versions = [version_of(file) for file in migration_files()]
    assert versions == sorted(set(versions))
