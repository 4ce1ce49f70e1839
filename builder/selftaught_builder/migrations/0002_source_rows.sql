-- A run reads its source again whenever it goes on; the source may have grown since, under the same recipe.

ALTER TABLE runs ADD COLUMN source_rows BIGINT;  -- rows read from the question source, as it was last read

UPDATE runs SET source_rows = (SELECT arg_max(source_rows, started_at) FROM rounds WHERE rounds.run = runs.id);
