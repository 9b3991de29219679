using System.Numerics;

namespace Appliance.UpdateClient.Chunks;

/// <summary>A set of keys, each with a number in the order it came; open addressing, no objects.</summary>
internal sealed class WantedChunks
{
    private readonly ulong[] _keys;
    private readonly int[] _slots;

    /// <summary>Makes an empty set.</summary>
    /// <param name="capacity">Most keys.</param>
    public WantedChunks(int capacity)
    {
        _keys = new ulong[capacity];
        _slots = new int[BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, capacity) * 2)];
    }

    /// <summary>Number of keys.</summary>
    public int Count { get; private set; }

    /// <summary>The number of a key, which is new when the key is.</summary>
    public int Add(ulong key)
    {
        ref var slot = ref Slot(key);
        if (slot != 0) return slot - 1;
        _keys[Count] = key;
        slot = ++Count;
        return slot - 1;
    }

    /// <summary>The number of a key, or -1.</summary>
    public int Find(ulong key) => Slot(key) - 1;

    private ref int Slot(ulong key)
    {
        var mask = _slots.Length - 1;
        for (var at = (int)((key * 0x9E3779B97F4A7C15UL) >> 32) & mask; ; at = (at + 1) & mask)
        {
            ref var slot = ref _slots[at];
            if (slot == 0 || _keys[slot - 1] == key) return ref slot;
        }
    }
}
