using ImageBuilder.Tests.Workloads;

namespace Appliance.SystemTests.Workloads;

/// <summary>A workload with a pod that is checked, one that never changes, and a job; its image is busybox.</summary>
/// <param name="folder">The workload's folder.</param>
internal sealed class ShopWorkload(string folder)
{
    /// <summary>The folder.</summary>
    public string Folder { get; } = folder;

    /// <summary>Makes the folder what a release of some objects is packed from.</summary>
    public async Task WriteAsync(string version, params string[] objects)
    {
        var manifests = Directory.CreateDirectory(Path.Combine(Folder, "manifests"));
        foreach (var old in manifests.EnumerateFiles()) old.Delete();
        if (!File.Exists(Path.Combine(Folder, "web.tar"))) SomeImage.WriteBusybox(Path.Combine(Folder, "web.tar"), "example.org/shop/web:1");
        foreach (var name in objects) await File.WriteAllTextAsync(Path.Combine(manifests.FullName, $"{name}.yaml"), Manifest(name, version));
        await File.WriteAllTextAsync(Path.Combine(Folder, "workload.yaml"), $"""
            id: shop
            version: "{version}"
            sourceDate: 2026-11-01
            manifests: [manifests]
            images:
              - name: example.org/shop/web:1
                archive: web.tar
            """);
    }

    private static string Manifest(string name, string version) => name switch
    {
        "web" => Web($"echo started {version}; exec /bin/busybox sleep 1000000", version),
        "crashing" => Web($"echo started {version}; exit 3", version),
        "migrate" => Job,
        _ => $$"""
            apiVersion: v1
            kind: Pod
            metadata:
              name: {{name}}
            spec:
              containers:
                - {name: main, image: "example.org/shop/web:1"}
            """,
    };

    private static string Web(string command, string version) => $$"""
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: words}
        data:
          hello: "hello {{version}}"
        ---
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: shop-data}
        spec:
          accessModes: [ReadWriteOnce]
          resources: {requests: {storage: 1Mi} }
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web, annotations: {appliance.io/engine: k3s} }
        spec: {selector: {app: web}, ports: [{port: 80}]}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: 1
          selector: {matchLabels: {app: web} }
          template:
            metadata: {labels: {app: web} }
            spec:
              containers:
                - name: web
                  image: example.org/shop/web:1
                  command: [/bin/busybox, sh, -c, "{{command}}"]
                  # An emulated machine takes its time to start a process.
                  livenessProbe: {exec: {command: [/bin/busybox, "true"] }, periodSeconds: 10, timeoutSeconds: 60}
                  volumeMounts: [{name: words, mountPath: /words}, {name: data, mountPath: /data}]
              volumes:
                - {name: words, configMap: {name: words} }
                - {name: data, persistentVolumeClaim: {claimName: shop-data} }
        """;

    private const string Job = """
        apiVersion: batch/v1
        kind: Job
        metadata: {name: migrate}
        spec:
          template:
            spec:
              restartPolicy: Never
              containers:
                - name: migrate
                  image: example.org/shop/web:1
                  command: [/bin/busybox, sh, -c, "echo migrated >> /data/log"]
                  volumeMounts: [{name: data, mountPath: /data}]
              volumes:
                - {name: data, persistentVolumeClaim: {claimName: shop-data} }
        """;
}
