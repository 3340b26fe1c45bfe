// Poisson input: the counts that neuro_lif/poisson.py defines, added to what arrives in a step.
#pragma once
#include <cstdint>
#include <vector>

namespace neuro_lif {

constexpr int AT_ONCE = 4;  // entries compared in one pass

// A count is the number of entries that are <= 32 random bits. So that processors that know only
// "greater", and only of signed numbers, compare as quickly as others, an entry is kept as one
// less than itself, with its top bit turned, and so are the bits. The entries are somebody else's.
struct DriveTable {
    int32_t least = 0;                 // entries that are 0, and not kept
    int32_t n = 0;                     // the others
    const int32_t* entries = nullptr;  // ascending, and AT_ONCE that nothing is greater than
    int32_t guide[256] = {};           // entries that are <= (top byte << 24)
};

constexpr uint32_t TURN = 0x80000000u;

struct DriveJob {
    uint32_t key[4];
    uint64_t t;
    const DriveTable* tables;
    const uint16_t* table_of;  // [neuron], null: the first for all
    const int32_t* weights;
    bool one_weight;
    int first, size;           // neurons from `first` on, a multiple of LANES, up to `size`
    int32_t* out;              // [neuron] what arrives, added to
};

using DriveFunction = void (*)(const DriveJob&);

// `kept` is where the entries go; it has to stay.
DriveTable drive_table(const std::vector<uint32_t>& entries, std::vector<int32_t>& kept);
DriveFunction chosen_drive();  // of the instruction set in use

}  // namespace neuro_lif
