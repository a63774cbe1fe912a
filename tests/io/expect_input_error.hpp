#pragma once

#include <initializer_list>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"

namespace lossmap::test {

/// `body` must throw an InputError of one sentence that contains all of `parts`.
template <typename Body>
void expect_input_error(const Body& body, std::initializer_list<std::string> parts) {
    try {
        body();
        ADD_FAILURE() << "no error";
    } catch (const InputError& error) {
        const std::string message = error.what();
        for (const std::string& part : parts)
            EXPECT_THAT(message, testing::HasSubstr(part));
        EXPECT_THAT(message, testing::Not(testing::HasSubstr("\n")));
        EXPECT_THAT(message, testing::Not(testing::EndsWith(".")));
        EXPECT_THAT(message, testing::Not(testing::HasSubstr(". ")));
    } catch (const std::exception& error) {
        ADD_FAILURE() << "not an InputError: " << error.what();
    }
}

/// Every proper prefix of `content` (in steps of `step` bytes) given to `read` must be an InputError, never a crash.
template <typename Read>
void expect_truncation_errors(const std::string& content, std::size_t step, const Read& read) {
    for (std::size_t size = 0; size < content.size(); size += step) {
        SCOPED_TRACE(size);
        expect_input_error([&] { read(content.substr(0, size)); }, {});
    }
}

/// Flips bytes one after another: reading may succeed or be an InputError, nothing else.
template <typename Read>
void expect_robust_against_flips(const std::string& content, std::size_t step, const Read& read) {
    for (std::size_t place = 0; place < content.size(); place += step) {
        for (const unsigned mask : {0x01u, 0x80u, 0xffu}) {
            SCOPED_TRACE(place);
            std::string damaged = content;
            damaged[place] = static_cast<char>(static_cast<unsigned char>(damaged[place]) ^ mask);
            try {
                read(damaged);
            } catch (const InputError&) {
                continue;
            }
        }
    }
}

}  // namespace lossmap::test
