#include "cpu/operation.hpp"

#include "core/error.hpp"

namespace lossmap::cpu {

void* Frame::writable(const Place& place) const {
    if (place.region != Place::Region::arena) throw InternalError("an operation writes outside the arena");
    return arena + (*blocks)[place.offset];
}

const void* Frame::readable(const Place& place) const {
    switch (place.region) {
        case Place::Region::none: return nullptr;
        case Place::Region::arena: return arena + (*blocks)[place.offset];
        case Place::Region::set: return set == nullptr ? nullptr : set + place.offset;
        case Place::Region::constant: return place.address;
    }
    throw InternalError("place in region {}", static_cast<int>(place.region));
}

}  // namespace lossmap::cpu
