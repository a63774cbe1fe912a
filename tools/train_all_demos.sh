#!/bin/bash
# Trains every demo network of configs/demo, one after the other: about an hour on one core.
# usage: tools/train_all_demos.sh [OUTPUT_DIR]      PYTHON names an interpreter with torch, onnx and numpy;
#                                                    DATA the folder with Fashion-MNIST's four IDX files
# A run whose settings.json exists is complete and is left alone; delete the folder to train it again.
set -eu

main() {
  tools=$(cd "$(dirname "$0")" && pwd)
  out=${1:-$tools/../configs/demo}
  # One thread: sums are then formed in one order, and the runs can be repeated bit for bit.
  export OMP_NUM_THREADS=1

  vgg9 sgd 5e-4 128
  vgg9 sgd 5e-4 2048
  vgg9 sgd 0 128
  vgg9 sgd 0 2048
  vgg9 adam 5e-4 128
  vgg9 adam 5e-4 2048
  vgg9 adam 0 128
  vgg9 adam 0 2048
  resnet resnet20 20000 1
  resnet resnet56 6000 6
  resnet resnet56 6000 6 --noshort
  resnet resnet20 20000 6 --noshort
}

# vgg9 OPTIMIZER WEIGHT_DECAY BATCH: every epoch's checkpoint is kept, for trajectories
vgg9() {
  train "vgg9_$1_wd$2_bs$3" --arch vgg9 --width 8 --optimizer "$1" --weight-decay "$2" --batch "$3" \
    --epochs 12 --subset 40000 --log-images 10000
}

# resnet NAME IMAGES LOG_EVERY [--noshort]: the last checkpoint is kept
resnet() {
  train "$1${4:+_noshort}" --arch "$1" ${4:+"$4"} --width 4 --optimizer sgd --weight-decay 5e-4 --batch 128 \
    --epochs 12 --subset "$2" --log-images 10000 --log-every "$3" --keep last
}

train() {
  name=$1
  shift
  if [ -e "$out/$name/settings.json" ]; then
    echo "$name: complete"
    return
  fi
  echo "$name"
  "${PYTHON:-python3}" "$tools/train_demo.py" "$@" --dataset fashion_mnist ${DATA:+--data "$DATA"} --seed 0 --threads 1 \
    --out "$out/$name"
}

main "$@"
exit
