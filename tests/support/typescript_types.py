"""TypeScript types of what a signed-in user may read and call, written from the catalog."""

from __future__ import annotations

from typing import Any

import psycopg

HEAD = """// Written from the database's catalog by the test that compares them; do not edit.
// The columns and the function that a signed-in user is granted. Use: createClient<Database>(…)
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

"""
NAMES = {
    "uuid": "string",
    "text": "string",
    "timestamptz": "string",
    "int4": "number",
    "int8": "number",
    "float8": "number",
    "bool": "boolean",
    "jsonb": "Json",
}
COLUMNS = """
select c.relname, a.attname, t.typname, a.attnotnull,
       (select array_agg(m[1] order by m[1]) from pg_constraint k,
               regexp_matches(pg_get_constraintdef(k.oid), '''(\\w+)''::text', 'g') m
         where k.conrelid = c.oid and k.conkey = array[a.attnum] and k.contype = 'c'
           and a.attname = 'status')
  from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and a.attnum > 0
   and has_column_privilege('authenticated', c.oid, a.attnum, 'select')
 order by c.relname, a.attnum"""
RELATIONS = """
select k.conrelid::regclass::text, k.conname, a.attname, k.confrelid::regclass::text, b.attname
  from pg_constraint k
  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
  join pg_attribute b on b.attrelid = k.confrelid and b.attnum = k.confkey[1]
 where k.contype = 'f' and k.connamespace = 'public'::regnamespace order by k.conname"""
FUNCTIONS = """
select p.proname, p.proargnames, array(select t.typname from unnest(p.proargtypes) with ordinality
       a (oid, at) join pg_type t on t.oid = a.oid order by a.at)::text[], p.pronargdefaults
  from pg_proc p where p.pronamespace = 'public'::regnamespace
   and has_function_privilege('authenticated', p.oid, 'execute') order by p.proname"""


def types(connection: psycopg.Connection[Any]) -> str:
    """The text of types.ts for this database."""
    tables: dict[str, list[str]] = {}
    for table, column, kind, required, values in connection.execute(COLUMNS.encode()):
        written = " | ".join(f"'{value}'" for value in values) if values else NAMES[kind]
        line = f"          {column}: {written}{'' if required else ' | null'}"
        tables.setdefault(table, []).append(line)
    lines = ["export type Database = {", "  public: {", "    Tables: {"]
    relations: dict[str, str] = {}
    for table, name, column, other, key in connection.execute(RELATIONS.encode()):
        relations[table] = (
            f"{{ foreignKeyName: '{name}', columns: ['{column}'], isOneToOne: false, "
            f"referencedRelation: '{other}', referencedColumns: ['{key}'] }}"
        )
    for table, columns in tables.items():
        lines += [f"      {table}: {{", "        Row: {", *columns, "        }"]
        lines += ["        Insert: never", "        Update: never"]
        lines += [f"        Relationships: [{relations.get(table, '')}]"]
        lines += ["      }"]
    lines += ["    }", "    Views: Record<never, never>", "    Functions: {"]
    for name, arguments, kinds, defaults in connection.execute(FUNCTIONS.encode()):
        lines += [f"      {name}: {{", "        Args: {"]
        for at, (argument, kind) in enumerate(zip(arguments, kinds, strict=True)):
            mark = "?" if at >= len(kinds) - defaults else ""
            lines.append(f"          {argument}{mark}: {NAMES[kind]}")
        lines += ["        }", "        Returns: Json", "      }"]
    lines += ["    }", "    Enums: Record<never, never>"]
    lines += ["    CompositeTypes: Record<never, never>", "  }", "}", ""]
    return HEAD + "\n".join(lines)
