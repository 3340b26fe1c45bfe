// Events on their way to neurons that take them one by one.
#pragma once
#include <cstdint>
#include <vector>

#include "program.hpp"

namespace neuro_lif {

// What a neuron sent along some of its synapses, in the order of those; kept until it arrives.
struct Burst {
    uint32_t pre, times;
    bool negative;         // the weights count with the other sign
    int64_t first, last;   // into the synapses of the projection
};

// A weight that arrives so many times in a row; next is what follows at the same neuron's port.
struct Event {
    int64_t weight;
    uint32_t times, place, pre;  // place: of the projection or the input among those of the port
    int32_t next;                // into the inbox's events, -1: none
};

// What arrives at a population in one step.
struct Inbox {
    std::vector<Event> events;
    std::vector<int32_t> first[MOST_PORTS], last[MOST_PORTS];  // [neuron] into events, -1: none
    std::vector<int64_t> sums[MOST_PORTS];
    std::vector<int64_t> sent;
};

}  // namespace neuro_lif
