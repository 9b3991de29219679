using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text.Json;
using Appliance.Core;
using Appliance.Supervisor.Device;
using Appliance.UpdateClient.Install;
using Serilog;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// Changes credentials: a new one is made, put beside the old one, proved, put into its place, and what uses it must work; then the old
/// one stays at hand for a while. Each step is written down before it begins. Where one fails, the old one comes back; where the power
/// goes, the step is done again.
/// </summary>
/// <param name="folder">Folder of the rotations on the data partition; one process at a time works in it.</param>
/// <param name="time">Clock.</param>
internal sealed class RotationEngine(string folder, TimeProvider time)
{
    private const string RecordName = "rotation.json", LockedBy = "rotation of a credential";
    private const int LargestRecord = 64 << 10, MostInterruptions = 3;
    private Exception? _cut;

    /// <summary>For tests: called before and after every change of the disk. Where it throws, nothing more is done, as when the power goes.</summary>
    public Action<string>? OnStep { get; init; }

    /// <summary>Called with what is being done.</summary>
    public Action<RotationStep>? OnProgress { get; init; }

    /// <summary>How the rotation of a credential stands.</summary>
    /// <exception cref="InvalidDataException">What was written down cannot be read.</exception>
    public RotationRecord Read(string name) => RecordFile.TryRead(RecordOf(name), RotationJson.Default.RotationRecord, LargestRecord) is not { } record ? new RotationRecord()
        : record.Format == RotationRecord.CurrentFormat ? record : throw new InvalidDataException($"{RecordOf(name)} has the format {record.Format}, and this program knows {RotationRecord.CurrentFormat}");

    /// <summary>The credential and its rotation; null where this device has none.</summary>
    public CredentialStatus? TryStatus(ICredential credential)
    {
        var record = new RotationRecord();
        try
        {
            record = Read(credential.Name);
            return credential.Read() is { } facts ? CredentialStatus.Of(credential, facts, record) : null;
        }
        catch (Exception e) when (e is UserError || IsDamage(e))
        {
            return CredentialStatus.Of(credential, new CredentialFacts(credential.Name), record) with { IsUnreadable = true, Trouble = $"it cannot be read: {e.Message}" };
        }
    }

    /// <summary>Changes a credential.</summary>
    /// <param name="credential">Which.</param>
    /// <param name="by">Who asked for it.</param>
    /// <param name="isEmergency">Whether the old one goes at once.</param>
    /// <param name="given">The new one, where somebody brings it.</param>
    /// <param name="cancellationToken">Ends the work, until the new one takes the old one's place: what is half done is of no use to anybody.</param>
    /// <exception cref="UserError">It failed, and the old one is used on.</exception>
    /// <exception cref="OperationCanceledException">It was stopped, and the old one is used on.</exception>
    public async Task<RotationRecord> RotateAsync(ICredential credential, string by, bool isEmergency, byte[]? given, CancellationToken cancellationToken)
    {
        Require(credential);
        var work = WorkOf(credential);
        if (!OperatingSystem.IsWindows()) Directory.CreateDirectory(work.Folder, FolderMode.Private);
        using var guard = StateFolderLock.Take(folder, LockedBy);
        var record = Read(credential.Name);
        if (record.IsUnderWay) record = await RunAsync(credential, work, record with { Interruptions = 0 }, cancellationToken);
        if (record.Step == RotationStep.Grace) record = await RunAsync(credential, work, record with { RetireAt = time.GetUtcNow() }, cancellationToken); // one before is enough
        if (record.Step != RotationStep.Idle) throw new UserError($"The rotation of {credential.Name} before this one has not ended: {record.Trouble}.", "It is gone on with by itself; try again then.");
        if (given is not null)
        {
            work.Say("before what was brought is written");
            DurableFile.Write(work.Given, given);
        }
        else DurableFile.Delete(work.Given);
        return await RunAsync(credential, work, record with { Step = RotationStep.Preparing, By = by, StartedAt = time.GetUtcNow(), IsEmergency = isEmergency, Interruptions = 0 }, cancellationToken);
    }

    /// <summary>Goes on with what was interrupted, and lets go of what has been kept long enough.</summary>
    /// <exception cref="UserError">It failed, and the old one is used on.</exception>
    public async Task<RotationRecord> ResumeAsync(ICredential credential, CancellationToken cancellationToken)
    {
        var work = WorkOf(credential);
        if (!Directory.Exists(work.Folder)) return new RotationRecord();
        using var guard = StateFolderLock.Take(folder, LockedBy);
        var record = Read(credential.Name);
        DurableFile.RemoveLeftovers(work.Given);
        if (record.Step == RotationStep.Idle) DurableFile.Delete(work.Given); // it was brought, and the power went before anything was written down
        if (record.IsUnderWay)
        {
            record = record with { Interruptions = record.Interruptions + 1 };
            if (record.Interruptions > MostInterruptions && record.Step < RotationStep.Undoing) record = record with { Step = RotationStep.Undoing, Trouble = $"it was interrupted {record.Interruptions} times while it was {DeviceView.Word(record.Step)}", TroubleAt = time.GetUtcNow() };
        }
        return await RunAsync(credential, work, record, cancellationToken);
    }

    private static void Require(ICredential credential)
    {
        try
        {
            if (credential.Read() is null) throw new UserError($"This device has no credential {credential.Name}.", "appliancectl credentials lists them.");
        }
        catch (Exception e) when (IsDamage(e))
        {
            throw new UserError($"The {credential.Name} that there is cannot be read: {e.Message}", "Mend or remove it; nothing was changed.", e);
        }
    }

    /// <summary>What a credential that is there fails with, where it is none.</summary>
    private static bool IsDamage(Exception e) => e is InvalidDataException or CryptographicException or FormatException or IOException or UnauthorizedAccessException;

    private string RecordOf(string name) => Path.Combine(folder, name, RecordName);

    private RotationWork WorkOf(ICredential credential) => new(Path.Combine(folder, credential.Name), Say);

    private void Say(string what)
    {
        try
        {
            OnStep?.Invoke(what);
        }
        catch (Exception e)
        {
            _cut = e;
            throw;
        }
    }

    /// <summary>Does one step after the other, until there is nothing to do.</summary>
    private async Task<RotationRecord> RunAsync(ICredential credential, RotationWork work, RotationRecord record, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        while (record.IsUnderWay || (record.Step == RotationStep.Grace && record.RetireAt <= time.GetUtcNow()))
        {
            OnProgress?.Invoke(record.Step);
            try
            {
                if (record.Step < RotationStep.Undoing) Note(credential, record);
                else TryNote(credential, record);
                record = await StepAsync(credential, work, record, record.Step < RotationStep.Switching ? cancellationToken : CancellationToken.None);
            }
            catch (OperationCanceledException e) when (cancellationToken.IsCancellationRequested && record.Step < RotationStep.Switching)
            {
                record = record with { Step = RotationStep.Undoing, Trouble = "somebody stopped it", TroubleAt = time.GetUtcNow() };
                failure = e;
            }
            catch (Exception e) when (e != _cut) // whatever it is, the old one worked
            {
                var reason = e.Message.TrimEnd('.');
                if (record.Step >= RotationStep.Undoing && !(record.Step == RotationStep.Grace && e is InvalidDataException))
                {
                    // There is no other way: it is tried again.
                    TryNote(credential, record with { Trouble = record.Step == RotationStep.Undoing ? $"the old one could not be brought back yet: {reason}" : $"the one before could not be let go of: {reason}", TroubleAt = time.GetUtcNow() });
                    throw new UserError($"The rotation of {credential.Name} has not ended ({DeviceView.Word(record.Step)}): {reason}.", (e as UserError)?.Hint ?? "It is tried again.", e) { MayPass = true };
                }
                Log.Warning(e is UserError ? null : e, "The rotation of {Credential} failed while it was {Step}: {Reason}", credential.Name, DeviceView.Word(record.Step), reason);
                failure = new UserError($"The rotation of {credential.Name} failed while it was {DeviceView.Word(record.Step)}, and the old one is used on: {reason}.", (e as UserError)?.Hint, e) { MayPass = e is UserError { MayPass: true } };
                // What somebody brings that is of no use is theirs to know of: the device has what it had, and nothing is wrong with it.
                var (trouble, at) = record.Step < RotationStep.Switching && File.Exists(work.Given) ? (record.Trouble, record.TroubleAt) : ($"{DeviceView.Word(record.Step)}: {reason}", time.GetUtcNow());
                record = record with { Step = RotationStep.Undoing, RotatedAt = record.Step == RotationStep.Grace ? null : record.RotatedAt, RetireAt = null, Trouble = trouble, TroubleAt = at };
            }
        }
        if (File.Exists(RecordOf(credential.Name))) TryNote(credential, record);
        if (failure is not null) ExceptionDispatchInfo.Throw(failure);
        return record;
    }

    private async Task<RotationRecord> StepAsync(ICredential credential, RotationWork work, RotationRecord record, CancellationToken cancellationToken)
    {
        switch (record.Step)
        {
            case RotationStep.Preparing:
                Remove(work, work.New);
                Remove(work, work.Old);
                Directory.CreateDirectory(work.New);
                Directory.CreateDirectory(work.Old);
                await credential.PrepareAsync(work, cancellationToken);
                return record with { Step = RotationStep.Installing };
            case RotationStep.Installing:
                await credential.InstallAsync(work, cancellationToken);
                return record with { Step = RotationStep.Proving };
            case RotationStep.Proving:
                await credential.ProveAsync(work, cancellationToken);
                return record with { Step = RotationStep.Switching };
            case RotationStep.Switching:
                await credential.SwitchAsync(work, cancellationToken);
                return record with { Step = RotationStep.Confirming };
            case RotationStep.Confirming:
                await credential.ConfirmAsync(work, cancellationToken);
                var now = time.GetUtcNow();
                Log.Information("{Credential} was changed (by {By})", credential.Name, record.By);
                return record with { Step = RotationStep.Grace, RotatedAt = now, RetireAt = record.IsEmergency ? now : now + credential.Grace, Trouble = null, TroubleAt = null };
            case RotationStep.Undoing:
                await credential.UndoAsync(work, cancellationToken);
                return record with { Step = RotationStep.Forgetting };
            case RotationStep.Grace:
                await credential.RetireAsync(work, cancellationToken);
                return record with { Step = RotationStep.Forgetting, RetireAt = null, Trouble = null, TroubleAt = null };
            default:
                Remove(work, work.New);
                Remove(work, work.Old);
                DurableFile.Delete(work.Given);
                return record with { Step = RotationStep.Idle };
        }
    }

    private static void Remove(RotationWork work, string part)
    {
        if (!Directory.Exists(part)) return;
        work.Say($"before {Path.GetFileName(part)} is removed");
        Directory.Delete(part, recursive: true);
        DurableFile.SyncFolder(work.Folder);
    }

    private void Note(ICredential credential, RotationRecord record)
    {
        Say($"before {record.Step} is written down");
        DurableFile.Write(RecordOf(credential.Name), JsonSerializer.SerializeToUtf8Bytes(record, RotationJson.Default.RotationRecord));
        Say($"after {record.Step} is written down");
    }

    /// <summary>A full disk keeps nobody from bringing the old one back; what stands on the disk comes to the same end.</summary>
    private void TryNote(ICredential credential, RotationRecord record)
    {
        try
        {
            Note(credential, record);
        }
        catch (Exception e) when (e != _cut && e is IOException or UnauthorizedAccessException)
        {
            Log.Warning("That the rotation of {Credential} is {Step} could not be written down: {Reason}", credential.Name, DeviceView.Word(record.Step), e.Message);
        }
    }
}
