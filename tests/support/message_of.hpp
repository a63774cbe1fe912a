#pragma once

#include <string>

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace lossmap::test {

/// Message of the InputError that `body` throws; a failure when it throws none.
template <typename Body>
std::string message_of(const Body& body) {
    try {
        body();
    } catch (const InputError& error) {
        return error.what();
    }
    ADD_FAILURE() << "no InputError";
    return {};
}

}  // namespace lossmap::test
