#include "graph/graph.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lossmap {
namespace {

template <typename T>
const T* find_as(const std::map<std::string, Attribute>& values, const std::string& name, const char* expected) {
    const auto found = values.find(name);
    if (found == values.end()) return nullptr;
    const T* value = std::get_if<T>(&found->second);
    if (value == nullptr) throw InputError("attribute '{}' is not {}", name, expected);
    return value;
}

}  // namespace

std::int64_t Attributes::get_int(const std::string& name) const {
    const auto* value = find_as<std::int64_t>(values_, name, "an integer");
    if (value == nullptr) throw InputError("attribute '{}' is missing", name);
    return *value;
}

std::int64_t Attributes::get_int(const std::string& name, std::int64_t fallback) const {
    const auto* value = find_as<std::int64_t>(values_, name, "an integer");
    return value == nullptr ? fallback : *value;
}

double Attributes::get_float(const std::string& name, double fallback) const {
    const auto* value = find_as<double>(values_, name, "a number");
    return value == nullptr ? fallback : *value;
}

std::string Attributes::get_string(const std::string& name, const std::string& fallback) const {
    const auto* value = find_as<std::string>(values_, name, "a string");
    return value == nullptr ? fallback : *value;
}

std::vector<std::int64_t> Attributes::get_ints(const std::string& name,
                                               const std::vector<std::int64_t>& fallback) const {
    const auto* value = find_as<std::vector<std::int64_t>>(values_, name, "a list of integers");
    return value == nullptr ? fallback : *value;
}

std::vector<double> Attributes::get_floats(const std::string& name, const std::vector<double>& fallback) const {
    const auto* value = find_as<std::vector<double>>(values_, name, "a list of numbers");
    return value == nullptr ? fallback : *value;
}

std::vector<std::string> Attributes::get_strings(const std::string& name) const {
    const auto* value = find_as<std::vector<std::string>>(values_, name, "a list of strings");
    return value == nullptr ? std::vector<std::string>{} : *value;
}

std::shared_ptr<const Tensor> Attributes::get_tensor(const std::string& name) const {
    const auto* value = find_as<std::shared_ptr<const Tensor>>(values_, name, "a tensor");
    return value == nullptr ? nullptr : *value;
}

std::shared_ptr<const Graph> Attributes::get_graph(const std::string& name) const {
    const auto* value = find_as<std::shared_ptr<const Graph>>(values_, name, "a graph");
    return value == nullptr ? nullptr : *value;
}

std::string Node::describe() const {
    const std::string type = domain.empty() ? op_type : domain + "." + op_type;
    return fmt::format("{} '{}' (opset {})", type, name, opset);
}

ValueId Graph::add_value(Value value) {
    values.push_back(std::move(value));
    return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::find(const std::string& wanted) const {
    const auto found = std::find_if(values.begin(), values.end(), [&](const Value& v) { return v.name == wanted; });
    return found == values.end() ? kNoValue : static_cast<ValueId>(found - values.begin());
}

std::vector<std::int32_t> Graph::producers() const {
    std::vector<std::int32_t> result(values.size(), -1);
    for (std::size_t index = 0; index < nodes.size(); ++index) {
        for (const ValueId output : nodes[index].outputs) {
            if (output != kNoValue) result.at(static_cast<std::size_t>(output)) = static_cast<std::int32_t>(index);
        }
    }
    return result;
}

std::vector<std::vector<std::int32_t>> Graph::consumers() const {
    std::vector<std::vector<std::int32_t>> result(values.size());
    for (std::size_t index = 0; index < nodes.size(); ++index) {
        for (const ValueId input : nodes[index].inputs) {
            if (input == kNoValue) continue;
            auto& readers = result.at(static_cast<std::size_t>(input));
            const auto reader = static_cast<std::int32_t>(index);
            if (readers.empty() || readers.back() != reader) readers.push_back(reader);
        }
    }
    return result;
}

namespace {

void check_ids(const Graph& graph) {
    const auto count = static_cast<ValueId>(graph.values.size());
    const auto check = [&](ValueId id, const std::string& owner) {
        if (id < 0 || id >= count) throw InputError("{} refers to a value that does not exist", owner);
    };
    for (const Node& node : graph.nodes) {
        for (const ValueId id : node.inputs) {
            if (id != kNoValue) check(id, node.describe());
        }
        for (const ValueId id : node.outputs) {
            if (id != kNoValue) check(id, node.describe());
        }
    }
    for (const ValueId id : graph.inputs)
        check(id, "the list of inputs");
    for (const ValueId id : graph.outputs)
        check(id, "the list of outputs");
    for (const ValueId id : graph.initializers)
        check(id, "the list of initializers");
}

/// Index of the producing node of each value; refuses a second producer.
std::vector<std::int32_t> unique_producers(const Graph& graph) {
    std::vector<std::int32_t> producer(graph.values.size(), -1);
    for (std::size_t index = 0; index < graph.nodes.size(); ++index) {
        for (const ValueId id : graph.nodes[index].outputs) {
            if (id == kNoValue) continue;
            auto& slot = producer[static_cast<std::size_t>(id)];
            const Value& value = graph.value(id);
            if (slot >= 0 || value.kind != ValueKind::computed) {
                throw InputError("value '{}' has two sources, one of them {}", value.name,
                                 graph.nodes[index].describe());
            }
            slot = static_cast<std::int32_t>(index);
        }
    }
    return producer;
}

void check_outputs(const Graph& graph, const std::vector<std::int32_t>& producer) {
    for (const ValueId id : graph.outputs) {
        if (graph.value(id).kind == ValueKind::computed && producer[static_cast<std::size_t>(id)] < 0) {
            throw InputError("nothing provides the graph output '{}'", graph.value(id).name);
        }
    }
}

}  // namespace

void validate_and_sort(Graph& graph) {
    check_ids(graph);
    const std::vector<std::int32_t> producer = unique_producers(graph);
    const std::size_t count = graph.nodes.size();
    std::vector<std::size_t> missing(count, 0);  // inputs whose producer has not been placed yet
    std::vector<std::vector<std::size_t>> readers(count);
    for (std::size_t index = 0; index < count; ++index) {
        for (const ValueId id : graph.nodes[index].inputs) {
            if (id == kNoValue) continue;
            const std::int32_t source = producer[static_cast<std::size_t>(id)];
            if (source >= 0) {
                ++missing[index];
                readers[static_cast<std::size_t>(source)].push_back(index);
            } else if (graph.value(id).kind == ValueKind::computed) {
                throw InputError("{}: nothing provides its input '{}'", graph.nodes[index].describe(),
                                 graph.value(id).name);
            }
        }
    }
    check_outputs(graph, producer);
    // A heap by original position keeps the file's order wherever it is already valid.
    std::vector<std::size_t> ready;
    for (std::size_t index = 0; index < count; ++index) {
        if (missing[index] == 0) ready.push_back(index);
    }
    std::make_heap(ready.begin(), ready.end(), std::greater<>{});
    std::vector<std::size_t> order;
    order.reserve(count);
    while (!ready.empty()) {
        std::pop_heap(ready.begin(), ready.end(), std::greater<>{});
        const std::size_t index = ready.back();
        ready.pop_back();
        order.push_back(index);
        for (const std::size_t reader : readers[index]) {
            if (--missing[reader] > 0) continue;
            ready.push_back(reader);
            std::push_heap(ready.begin(), ready.end(), std::greater<>{});
        }
    }
    if (order.size() != count) {
        for (std::size_t index = 0; index < count; ++index) {
            if (missing[index] > 0) throw InputError("{} is part of a cycle", graph.nodes[index].describe());
        }
    }
    if (std::is_sorted(order.begin(), order.end())) return;
    std::vector<Node> sorted;
    sorted.reserve(count);
    for (const std::size_t index : order)
        sorted.push_back(std::move(graph.nodes[index]));
    graph.nodes = std::move(sorted);
}

void remove_dead_nodes(Graph& graph) {
    std::vector<bool> used(graph.values.size(), false);
    for (const ValueId id : graph.outputs)
        used[static_cast<std::size_t>(id)] = true;
    std::vector<Node> kept;
    for (std::size_t index = graph.nodes.size(); index-- > 0;) {
        Node& node = graph.nodes[index];
        const bool live = std::any_of(node.outputs.begin(), node.outputs.end(),
                                      [&](ValueId id) { return id != kNoValue && used[static_cast<std::size_t>(id)]; });
        if (!live) continue;
        for (const ValueId id : node.inputs) {
            if (id != kNoValue) used[static_cast<std::size_t>(id)] = true;
        }
        kept.push_back(std::move(node));
    }
    std::reverse(kept.begin(), kept.end());
    graph.nodes = std::move(kept);
}

}  // namespace lossmap
