using Appliance.Core;
using Serilog;

namespace Appliance.Supervisor.Updates;

/// <summary>What the engine remembers, and its file.</summary>
/// <param name="store">The file.</param>
/// <param name="running">The version that runs.</param>
internal sealed class UpdateMemory(UpdateStore store, string running)
{
    private readonly Lock _lock = new();
    private UpdateState _state = store.Read();

    /// <summary>Raised after every change.</summary>
    public event Action? Changed;

    /// <summary>What it is.</summary>
    public UpdateState State
    {
        get { lock (_lock) return _state; }
    }

    /// <summary>Takes a step that nothing may follow before it is on the disk.</summary>
    /// <exception cref="UserError">It cannot be written; nothing has changed.</exception>
    public void Set(Func<UpdateState, UpdateState> change)
    {
        if (Write(change, regardless: false) is { } problem)
            throw new UserError($"The state of the updates cannot be written: {problem}", "Free space on the data partition, or check that it is mounted and writable.");
    }

    /// <summary>Notes what is so whether or not it can be written; when it cannot, it goes to the disk with the next step.</summary>
    public void Note(Func<UpdateState, UpdateState> change)
    {
        if (Write(change, regardless: true) is { } problem) Log.Error("The state of the updates cannot be written, and is kept in memory for now: {Reason}", problem);
    }

    private string? Write(Func<UpdateState, UpdateState> change, bool regardless)
    {
        string? problem = null;
        lock (_lock)
        {
            var next = change(_state);
            if (ReferenceEquals(next, _state)) return null;
            next = next with { LastCheck = next.LastCheck?.Now(running, next.Failed) };
            try
            {
                store.Write(next);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (!regardless) return e.Message;
                problem = e.Message;
            }
            _state = next;
        }
        Changed?.Invoke();
        return problem;
    }
}
