// Written from the database's catalog by the test that compares them; do not edit.
// The columns and the function that a signed-in user is granted. Use: createClient<Database>(…)
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  public: {
    Tables: {
      inbox_files: {
        Row: {
          id: string
          job_id: string
          number: number
          name: string
          size_bytes: number | null
          status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'processing'
          label: string | null
          confidence: number | null
          evidence: Json
          alternatives: Json
          needs_review: boolean
          review_reasons: Json
          classifier: string | null
          media_type: string | null
          pages: number | null
          ocr_pages: number | null
          text_length: number | null
          error_code: string | null
          error_message: string | null
          processing_time: number | null
          created_at: string
          updated_at: string
          started_at: string | null
          finished_at: string | null
          parent_id: string | null
          details: Json
          pages_done: number | null
          pages_total: number | null
          corrected_label: string | null
          corrected_by: string | null
          corrected_at: string | null
        }
        Insert: never
        Update: never
        Relationships: [{ foreignKeyName: 'inbox_files_parent_id_fkey', columns: ['parent_id'], isOneToOne: false, referencedRelation: 'inbox_files', referencedColumns: ['id'] }]
      }
      inbox_jobs: {
        Row: {
          id: string
          status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'processing'
          progress: number
          total_files: number
          processed_files: number
          labels: Json | null
          result: Json | null
          error: Json | null
          attempt: number
          cancel_requested_at: string | null
          created_at: string
          updated_at: string
          started_at: string | null
          finished_at: string | null
          owner_id: string | null
          organisation_id: string | null
          options: Json
        }
        Insert: never
        Update: never
        Relationships: []
      }
    }
    Views: Record<never, never>
    Functions: {
      inbox_correct_file: {
        Args: {
          p_job_id: string
          p_file_id: string
          p_label: string
          p_by?: string
          p_client_id?: string
        }
        Returns: Json
      }
      inbox_delete_label_set: {
        Args: {
          p_name: string
          p_client_id?: string
        }
        Returns: Json
      }
      inbox_label_set: {
        Args: {
          p_name: string
          p_client_id?: string
        }
        Returns: Json
      }
      inbox_list_label_sets: {
        Args: {
          p_client_id?: string
        }
        Returns: Json
      }
      inbox_put_label_set: {
        Args: {
          p_name: string
          p_labels: Json
          p_client_id?: string
        }
        Returns: Json
      }
      inbox_submit_job: {
        Args: {
          p_job_id: string
          p_files: Json
          p_labels?: Json
          p_client_id?: string
          p_max_attempts?: number
          p_options?: Json
          p_sealed?: string
        }
        Returns: Json
      }
    }
    Enums: Record<never, never>
    CompositeTypes: Record<never, never>
  }
}
