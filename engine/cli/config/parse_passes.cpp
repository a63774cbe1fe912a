#include "cli/config/parsers.hpp"

namespace lossmap {

PassSet parse_passes(const JsonReader& reader) {
    reader.require_section("passes", "an object with true or false for passes of the graph optimiser");
    PassSet passes;
    for (const PassInfo& pass : pass_table()) {
        if (const auto enabled = reader.find(pass.name)) passes.*pass.enabled = enabled->boolean();
    }
    return passes;
}

}  // namespace lossmap
