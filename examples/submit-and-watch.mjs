// Submit files as a signed-in user, and watch the job. Needs: npm install @supabase/supabase-js
//   SUPABASE_URL=… SUPABASE_PUBLISHABLE_KEY=… EMAIL=… PASSWORD=… node submit-and-watch.mjs a.pdf b.pdf
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { createClient } from '@supabase/supabase-js'

const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, EMAIL: email, PASSWORD: password } = process.env
const supabase = createClient(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY)
const check = ({ data, error }) => { if (error) throw new Error(error.message); return data }

const { user } = check(await supabase.auth.signInWithPassword({ email, password }))
const job = crypto.randomUUID() // ours to choose, so that a repeated submit is the same job
const files = []
for (const [n, path] of process.argv.slice(2).entries()) {
  const storage_key = `${user.id}/${job}/${n + 1}` // ASCII; the name goes into the row
  check(await supabase.storage.from('inbox').upload(storage_key, await readFile(path)))
  files.push({ name: basename(path), storage_key })
}
check(await supabase.rpc('inbox_submit_job', { p_job_id: job, p_files: files }))

// Realtime tells of changes at once; the poll is what can be relied on.
const over = (row) => ['completed', 'failed', 'cancelled'].includes(row.status)
let seen = ''
const show = (row) => {
  const line = `${row.status} ${row.progress} % (${row.processed_files} of ${row.total_files} files)`
  if (line !== seen) console.log((seen = line))
}
const changes = { event: 'UPDATE', schema: 'public', table: 'inbox_jobs', filter: `id=eq.${job}` }
supabase.channel(job).on('postgres_changes', changes, ({ new: row }) => show(row)).subscribe()
const columns = 'status, progress, processed_files, total_files'
for (let row = {}; !over(row); await new Promise((done) => setTimeout(done, 2000))) {
  row = check(await supabase.from('inbox_jobs').select(columns).eq('id', job).single())
  show(row)
}
const wanted = 'number, name, status, label, confidence, needs_review, error_code'
console.table(check(await supabase.from('inbox_files').select(wanted).eq('job_id', job).order('number')))
await supabase.removeAllChannels()
await supabase.auth.signOut()
