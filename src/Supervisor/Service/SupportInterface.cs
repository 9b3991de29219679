using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Support;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Service;

/// <summary>The member of <c>io.appliance.Supervisor1</c> that gives a support bundle.</summary>
internal sealed class SupportInterface(SupportBundle bundle)
{
    /// <summary>The method: it writes into the file, pipe or socket it is given, and answers when all is written.</summary>
    public BusMethod Method => BusMethod.Slow("SupportBundle", "h", "s", ["to", "name"], arguments => BusErrors.NamedAsync(async () =>
    {
        var name = bundle.FileName;
        await using var to = new FileStream((SafeFileHandle)arguments[0], FileAccess.Write, bufferSize: 0);
        try
        {
            await bundle.WriteAsync(to, "an operator", CancellationToken.None);
            return [name];
        }
        catch (IOException e)
        {
            throw new UserError($"The support bundle could not be written whole: {e.Message}", "Is there room where it goes?");
        }
    }));
}
