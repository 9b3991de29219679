using Appliance.UpdateClient.Install;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// The boot loader's side of the two slots; one implementation a boot scheme. Everything here needs root. Whatever is written
/// is on the disk when the call returns, and a power cut during it leaves a device that boots a complete version.
/// </summary>
internal interface IBootControl
{
    /// <summary>Slot <c>a</c>, then slot <c>b</c>.</summary>
    Task<IReadOnlyList<SlotStatus>> ReadSlotsAsync(CancellationToken cancellationToken);

    /// <summary>The parts of the running version that an update can be made from.</summary>
    Task<RunningSlot> ReadRunningAsync(CancellationToken cancellationToken);

    /// <summary>Where an update to a version is written: the slot that does not run.</summary>
    Task<TargetSlot> ChooseTargetAsync(string version, CancellationToken cancellationToken);

    /// <summary>The restart that follows is to try the slot that does not run, wherever the boot loader would not do so by itself.</summary>
    Task PrepareRestartAsync(CancellationToken cancellationToken);

    /// <summary>The running slot is kept: its tries are not counted any more, and no other comes before it.</summary>
    Task MarkGoodAsync(CancellationToken cancellationToken);

    /// <summary>The boot loader passes a slot over from now on. For the running one that means the other slot at the next boot.</summary>
    /// <exception cref="Appliance.Core.UserError">There would be nothing good left to boot.</exception>
    Task MarkBadAsync(string slot, CancellationToken cancellationToken);

    /// <summary>The running slot, on trial, is shut down in good order: this boot was no failed try.</summary>
    /// <returns>Why no try is given back; null when it is.</returns>
    Task<string?> GiveBackTryAsync(CancellationToken cancellationToken);
}
