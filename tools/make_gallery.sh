#!/bin/bash
# Runs every configuration of configs/paper and puts their pictures and tables into docs/images/gallery and docs/gallery.md:
# about ten minutes on two cores.
# usage: tools/make_gallery.sh [NAME...]      figure12 or table1, for example; default: all
#        LOSSMAP names the program (default build/default/bin/lossmap), RUNS the folder for the runs (default runs/gallery),
#        NETWORKS and DATA other networks and data, as configs/paper/README.md says
# Finished work is taken over from an earlier call.
set -eu

main() {
  root=$(cd "$(dirname "$0")/.." && pwd)
  lossmap=${LOSSMAP:-$root/build/default/bin/lossmap}
  runs=${RUNS:-$root/runs/gallery}
  options=()
  if [ -n "${NETWORKS:-}" ]; then options+=(--set "/networks=$NETWORKS"); fi
  names=("$@")
  if [ $# -eq 0 ]; then
    for config in "$root"/configs/paper/*.json; do names+=("$(basename "$config" .json)"); done
  fi
  for name in "${names[@]}"; do make_one "$name"; done
}

# make_one NAME
make_one() {
  config=$root/configs/paper/$1.json
  more=()
  if [ -n "${DATA:-}" ] && grep -q '"data"' "$config"; then more=(--set "/data/file=$DATA"); fi
  "$lossmap" run "$config" --out "$runs/$1" --progress none --log-level warning "${options[@]}" "${more[@]}" > /dev/null
  case $1 in
    figure08) show "$1" weight_norm_epoch weight_norm_iteration ;;
    figure09 | figure10 | figure11 | figure12) show "$1" line ;;
    figure13) show "$1" train_filled ;;
    figure14) show "$1" train_repeats_line test_repeats_line ;;
    figure15) show "$1" train_repeats_contour train_spread ;;
    figure16 | figure17) show "$1" training_loss_epoch training_error_epoch ;;
    figure18 | figure19) show "$1" train_trajectory ;;
    table*) put "$1" "$runs/$1/table.md" ;;
  esac
  echo "$1"
}

# show NAME PICTURE...
show() {
  mkdir -p "$root/docs/images/gallery"
  links=$(mktemp)
  said=$(sed -n 's/^  "comment": "\(.*\)",$/\1/p' "$root/configs/paper/$1.json")
  for picture in "${@:2}"; do
    cp "$runs/$1/plots/$picture.svg" "$root/docs/images/gallery/$1_$picture.svg"
    echo "![$said](images/gallery/$1_$picture.svg)" >> "$links"
  done
  put "$1" "$links"
  rm "$links"
}

# put NAME FILE: the file's lines between the two marks of that name in the gallery
put() {
  gallery=$root/docs/gallery.md
  awk -v content="$2" -v first="<!-- $1 -->" -v last="<!-- end of $1 -->" '
    $0 == first { print; while ((getline line < content) > 0) print line; inside = 1 }
    $0 == last { inside = 0 }
    !inside && $0 != first { print }' "$gallery" > "$gallery.new"
  mv "$gallery.new" "$gallery"
}

main "$@"
