#!/bin/bash
#SBATCH --job-name=lossmap
#SBATCH --requeue
#SBATCH --signal=TERM@60
# One surface as an array of jobs, each of which computes a share of its points, and a job behind them that joins the
# shares. A job that was stopped or put back into the queue goes on where it was. On GPUs the jobs agree on how they
# compute, to the bit, by the plans in the user's cache: where they do not all see that folder, name one with --plan-cache.
#
#   jobs=$(sbatch --parsable --array=1-8 --cpus-per-task=16 configs/slurm/shares.sh plane.json runs/plane)
#   sbatch --dependency=afterok:$jobs configs/slurm/shares.sh plane.json runs/plane
set -euo pipefail
config=$1 out=$2

if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    exec srun lossmap run "$config" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
        --out "$out.shares/$SLURM_ARRAY_TASK_ID" --progress plain
fi
exec lossmap merge "$out.shares"/* --out "$out"
