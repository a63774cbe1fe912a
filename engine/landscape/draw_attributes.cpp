#include "landscape/draw_attributes.hpp"

#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr const char* kDrawn = "lossmap_drawn";
constexpr const char* kDrawnFrom = "lossmap_drawn_from";

}  // namespace

void write_draw(Hdf5File& file, const SplitSurface& split) {
    if (!split.is_drawn()) return;
    file.write_attribute(split.name + "_loss", kDrawn, split.drawn);
    file.write_attribute(split.name + "_loss", kDrawnFrom, split.drawn_from);
}

void read_draw(const Hdf5File& file, SplitSurface& split) {
    const std::string object = split.name + "_loss";
    if (!file.has_attribute(object, kDrawn) || !file.has_attribute(object, kDrawnFrom)) return;
    const std::int64_t drawn = file.int_attribute(object, kDrawn);
    const std::int64_t drawn_from = file.int_attribute(object, kDrawnFrom);
    if (drawn < 1 || drawn_from <= drawn) {
        throw InputError("'{}': '{}' says that {} of {} samples were drawn", file.path().string(), object, drawn,
                         drawn_from);
    }
    split.drawn = drawn;
    split.drawn_from = drawn_from;
}

}  // namespace lossmap
