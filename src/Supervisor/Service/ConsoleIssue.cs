using System.Net;
using System.Net.NetworkInformation;
using System.Text;
using Appliance.Core;
using Appliance.Core.Access;
using Appliance.Supervisor.Access;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Web;
using Serilog;

namespace Appliance.Supervisor.Service;

/// <summary>Shows the page's address and the fingerprint of its certificate, and the setup code of a device without an owner, above the console's log-in prompt (issue(5)).</summary>
internal sealed class ConsoleIssue(SupervisorOptions options, DeviceFacts facts, OwnerAccess access, PageCertificate certificate, IPEndPoint page) : IHostedService, IDisposable
{
    private readonly string _path = Path.Combine(options.IssueFolder, "50-appliance.issue");
    private readonly SemaphoreSlim _one = new(1);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        NetworkChange.NetworkAddressChanged += OnChange;
        access.CodeChanged += Write;
        await WriteAsync();
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        NetworkChange.NetworkAddressChanged -= OnChange;
        access.CodeChanged -= Write;
        return Task.CompletedTask;
    }

    public void Dispose() => _one.Dispose();

    private void OnChange(object? sender, EventArgs e) => Write();

    private void Write() => _ = WriteAsync();

    private async Task WriteAsync()
    {
        await _one.WaitAsync();
        try
        {
            var addresses = ListenSocket.IsEveryAddress(page.Address) ? DeviceFacts.Addresses() : [page.Address.ToString()];
            var port = page.Port == 443 ? "" : $":{page.Port}";
            var text = new StringBuilder($"{facts.Image.Id} {facts.Image.Version}\n");
            foreach (var address in addresses) text.Append($"Status page: https://{(address.Contains(':') ? $"[{address}]" : address)}{port}/\n");
            if (addresses.Count == 0) text.Append("Status page: waiting for a network address\n");
            text.Append($"Certificate (SHA-256): {PemCertificate.Fingerprint(certificate.Current)}\n");
            if (access.SetupCode is { } code) text.Append($"Setup code: {code}\n");
            // agetty, which is root, reads it; nobody else on the device needs the code.
            DurableFile.Write(_path, Encoding.UTF8.GetBytes(text.Append('\n').ToString()));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.Warning("The console's message {Path} could not be written: {Reason}", _path, e.Message);
        }
        finally
        {
            _one.Release();
        }
    }
}
