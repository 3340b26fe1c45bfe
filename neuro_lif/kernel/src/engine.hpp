// What engine.cpp gives to the bindings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace neuro_lif {

// The instruction sets that were compiled, and that this machine has; the best comes last.
std::vector<std::string> compiled_sets();
std::vector<std::string> usable_sets();

std::int64_t sum(const std::int64_t *values, std::size_t count);

}  // namespace neuro_lif
