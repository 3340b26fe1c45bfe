// Sparse rows as bits: which neurons a presynaptic neuron reaches, all after the same delay. The
// weights are few numbers, one of them for a whole row, or one byte for each synapse.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

namespace neuro_lif {

constexpr int BIT_WORDS = 8;  // rows are padded with zeros to a multiple of so many words

struct FreeMemory {
    void operator()(uint64_t* at) const;
};

struct Bits {
    int64_t stride = 0;                             // words of a row
    std::unique_ptr<uint64_t[], FreeMemory> rows;   // [n_pre][stride], and BIT_WORDS more
    std::vector<uint8_t> kind;                      // [row] number of its weight; empty: all 0
    std::vector<int32_t> weights;                   // [kind]
    const int8_t* each = nullptr;   // a weight for each synapse, in the order of the bits; or null
    int64_t n_each = 0;
    std::vector<int64_t> starts;    // [row] into them
    int shift = 0;                  // they are stored divided by 2^shift

    // Null where a row reaches a neuron twice.
    static std::shared_ptr<Bits> of(int n_pre, int n_post, const int64_t* starts,
                                          const void* posts, int width);
};

struct BitsJob {
    const Bits* bits;
    const uint32_t* active;
    int n_active;
    int32_t weight;  // of all synapses, where there is not one each
    int from, to;  // postsynaptic neurons; from: a multiple of LANES
    int32_t* out;  // by postsynaptic neuron, added to; has room up to a multiple of GROUP
};

struct BitsVariant {
    void (*count)(const BitsJob&);   // one weight
    void (*spread)(const BitsJob&);  // one each
};

const BitsVariant& chosen_bits();  // of the instruction set in use
bool can_expand();  // whether this processor spreads bytes over the bits of a mask in one instruction

}  // namespace neuro_lif
