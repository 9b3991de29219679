namespace Appliance.Core.Delta;

/// <summary>Where old places of the payload have gone, as far as the present group of commands tells: the expectation for every relative address.</summary>
internal sealed class AlignmentMap
{
    private long[] _old = [];
    private long[] _shift = [];
    private int _count;
    private int _last;

    /// <summary>Takes the copies of a group.</summary>
    public void Set(IReadOnlyList<PatchCommand> commands)
    {
        if (_old.Length < commands.Count) (_old, _shift) = (new long[commands.Count], new long[commands.Count]);
        (_count, _last) = (0, 0);
        foreach (var command in commands)
        {
            if (command.Kind == PatchCommandKind.Literal) continue;
            _old[_count] = command.OldOffset;
            _shift[_count++] = command.NewOffset - command.OldOffset;
        }
        Array.Sort(_old, _shift, 0, _count);
    }

    /// <summary>What is to be added to an old place to have the new one.</summary>
    public long ShiftOf(long old)
    {
        if (_count == 0) return 0;
        if (old >= _old[_last] && (_last + 1 == _count || old < _old[_last + 1])) return _shift[_last];
        int low = 0, high = _count - 1;
        while (low < high)
        {
            var middle = (low + high + 1) >> 1;
            if (_old[middle] <= old) low = middle;
            else high = middle - 1;
        }
        _last = low;
        return _shift[low];
    }
}
