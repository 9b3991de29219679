using System.CommandLine;
using System.Runtime.InteropServices;
using Appliance.Core;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Containers;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Flash;
using Appliance.ImageBuilder.Fleet;
using Appliance.ImageBuilder.Keys;
using Appliance.ImageBuilder.Publish;
using Appliance.ImageBuilder.Run;
using Appliance.ImageBuilder.Tools;

const int UserMistake = 2, Failure = 1, Interrupted = 130;

using var interrupt = new CancellationTokenSource();
void OnSignal(PosixSignalContext context)
{
    context.Cancel = true; // the verbs end by themselves, tidily
    interrupt.Cancel();
}
using var sigint = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using var sigterm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);

var root = new RootCommand("""
    Builds, runs and flashes appliance images: read-only, A/B-updated Linux with Kubernetes and a supervisor.

    Example:
      appliance build image/appliance.yaml
      appliance run out/appliance_1.0.0_amd64
    """)
{ BuildCommand.Create(), BuilderImageCommand.Create(), RunCommand.Create(), FlashCommand.Create(), KeysCommand.Create(), PublishCommand.Create(), VerifyCommand.Create(), BundleCommand.Create(), DiffCommand.Create(), FleetCommand.Create(), PushCommand.Create(), SchemaCommand.Create() };

try
{
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interrupt.Token);
}
catch (InterruptedHalfway interrupted)
{
    await Console.Error.WriteLineAsync(interrupted.Message);
    return Interrupted;
}
catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
{
    await Console.Error.WriteLineAsync("Interrupted; nothing half-done was left behind.");
    return Interrupted;
}
catch (UserError error)
{
    await Console.Error.WriteLineAsync($"error: {error}");
    return UserMistake;
}
catch (IOException error) when (error.HResult == 28 || error.Message.Contains("No space left", StringComparison.Ordinal))
{
    await Console.Error.WriteLineAsync($"error: The disk is full: {error.Message}\n  Free some space, or choose other places with --cache and --output.");
    return UserMistake;
}
catch (ToolFailure error)
{
    await Console.Error.WriteLineAsync($"error: {error.Message}");
    return Failure;
}
catch (Exception error)
{
    await Console.Error.WriteLineAsync($"error: {error}");
    return Failure;
}
