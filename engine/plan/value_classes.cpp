#include "plan/value_classes.hpp"

#include "core/error.hpp"

namespace lossmap {
namespace {

ValueClass join(ValueClass a, ValueClass b) {
    if (a == b || b == ValueClass::constant) return a;
    if (a == ValueClass::constant) return b;
    return ValueClass::both;
}

}  // namespace

const char* name_of(ValueClass value_class) {
    switch (value_class) {
        case ValueClass::constant: return "constant";
        case ValueClass::theta: return "theta";
        case ValueClass::samples: return "samples";
        case ValueClass::both: return "both";
    }
    throw InternalError("value class {} has no name", static_cast<int>(value_class));
}

std::vector<ValueClass> classify(const Graph& graph) {
    std::vector<ValueClass> classes(graph.values.size(), ValueClass::constant);
    for (std::size_t index = 0; index < graph.values.size(); ++index) {
        if (graph.values[index].kind == ValueKind::input) classes[index] = ValueClass::samples;
        if (graph.values[index].kind == ValueKind::parameter) classes[index] = ValueClass::theta;
    }
    for (const Node& node : graph.nodes) {
        ValueClass result = ValueClass::constant;
        for (const ValueId input : node.inputs) {
            if (input != kNoValue) result = join(result, classes.at(static_cast<std::size_t>(input)));
        }
        for (const ValueId output : node.outputs) {
            if (output != kNoValue) classes.at(static_cast<std::size_t>(output)) = result;
        }
    }
    return classes;
}

}  // namespace lossmap
