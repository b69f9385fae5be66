<#
.SYNOPSIS
    Prepares a Windows GPU machine as a dtui worker: once, as administrator.

.DESCRIPTION
    Opens PowerShell Remoting (WinRM over HTTPS), OpenSSH, or both, and the ports that a distributed run needs, for
    the cluster's addresses only. Keeps the machine awake. Saves what the machine is. Every change is written to a
    journal with its old value first, so that -Undo puts everything back. Running it again changes nothing that is
    right already.

.PARAMETER MasterIP
    Address of the master: the machine that dtui runs on.

.PARAMETER ClusterIPs
    Addresses of all other workers. Ranks connect to each other directly, on ports that the system chooses.

.PARAMETER Transport
    ssh, winrm or both: how the master logs in.

.PARAMETER PublicKey
    The master's public SSH key (the line in its id_ed25519.pub), or the path of a file with it.

.PARAMETER Undo
    Puts back everything that earlier runs of this script changed on this machine.

.EXAMPLE
    .\scripts\worker_setup.ps1 -MasterIP 192.168.1.100 -ClusterIPs 192.168.1.101,192.168.1.102
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string]$MasterIP = '',
    [string[]]$ClusterIPs = @(),
    [ValidateSet('ssh', 'winrm', 'both')]
    [string]$Transport = 'both',
    [string]$PublicKey = '',
    [string]$DataFolder = (Join-Path $env:ProgramData 'dtui'),
    [switch]$Undo
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

# What this script may change, in one place: a test holds it against what dtui's preflight expects.
$script:EffectsJson = @'
{
  "firewall": [
    {"name": "dtui-ssh", "ports": "22", "transport": "ssh"},
    {"name": "dtui-winrm", "ports": "5985-5986", "transport": "winrm"},
    {"name": "dtui-rendezvous", "ports": "29500-29504", "transport": "both"},
    {"name": "dtui-ranks", "ports": "1024-65535", "transport": "both"}
  ],
  "services": [
    {"name": "WinRM", "start": "Automatic", "transport": "winrm"},
    {"name": "sshd", "start": "Automatic", "transport": "ssh"}
  ],
  "registry": [
    {"path": "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem", "name": "LongPathsEnabled", "value": 1, "transport": "both"},
    {"path": "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System", "name": "LocalAccountTokenFilterPolicy", "value": 1, "transport": "winrm"}
  ],
  "power": [
    {"name": "standby-timeout-ac", "value": 0},
    {"name": "hibernate-timeout-ac", "value": 0}
  ],
  "execution_policy": {"scope": "LocalMachine", "value": "RemoteSigned"},
  "listeners": [{"transport": "HTTPS", "port": 5986}]
}
'@

function Get-Effects {
    return ($script:EffectsJson | ConvertFrom-Json)
}

function Test-Wanted {
    param([Parameter(Mandatory = $true)][string]$For)
    return ($For -eq 'both' -or $Transport -eq 'both' -or $For -eq $Transport)
}

function Write-Step {
    param([Parameter(Mandatory = $true)][string]$Text)
    Write-Host ''
    Write-Host "== $Text" -ForegroundColor Cyan
}

function Write-Result {
    param([Parameter(Mandatory = $true)][bool]$Good, [Parameter(Mandatory = $true)][string]$Text)
    if ($Good) {
        Write-Host "  [ OK ] $Text" -ForegroundColor Green
    } else {
        Write-Host "  [FAIL] $Text" -ForegroundColor Red
    }
}

function Assert-Administrator {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal($identity)
    if (-not $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        throw 'This script changes the firewall and services: start PowerShell as administrator and run it again.'
    }
}

function Assert-Address {
    param([Parameter(Mandatory = $true)][string]$Address)
    $parsed = $null
    if (-not [Net.IPAddress]::TryParse($Address, [ref]$parsed)) {
        throw "'$Address' is not an address. Give numbers such as 192.168.1.100: names and wildcards are refused."
    }
    if ($parsed.Equals([Net.IPAddress]::Any) -or $parsed.Equals([Net.IPAddress]::IPv6Any)) {
        throw "'$Address' would let every machine in. Name the cluster's machines one by one."
    }
}

# ---- the journal: what was changed, and what was there before

function Get-JournalPath {
    return (Join-Path $DataFolder 'worker_setup.journal.jsonl')
}

function Add-JournalEntry {
    param(
        [Parameter(Mandatory = $true)][string]$Kind,
        [Parameter(Mandatory = $true)][string]$Target,
        $Old = $null,
        $New = $null
    )
    $entry = [ordered]@{ time = (Get-Date).ToString('o'); kind = $Kind; target = $Target; old = $Old; new = $New }
    $line = $entry | ConvertTo-Json -Compress -Depth 6
    [IO.File]::AppendAllText((Get-JournalPath), $line + [Environment]::NewLine, (New-Object Text.UTF8Encoding($false)))
}

function Get-JournalEntries {
    $path = Get-JournalPath
    if (-not (Test-Path -LiteralPath $path)) {
        return @()
    }
    $entries = @(Get-Content -LiteralPath $path -Encoding UTF8 | Where-Object { $_.Trim() } | ForEach-Object { $_ | ConvertFrom-Json })
    return $entries
}

function Invoke-Change {
    # Journals first, then changes: a change that is interrupted can still be undone.
    param(
        [Parameter(Mandatory = $true)][string]$Kind,
        [Parameter(Mandatory = $true)][string]$Target,
        $Old = $null,
        $New = $null,
        [Parameter(Mandatory = $true)][scriptblock]$Do
    )
    if ($PSCmdlet.ShouldProcess($Target, "$Kind -> $New")) {
        Add-JournalEntry -Kind $Kind -Target $Target -Old $Old -New $New
        & $Do
        Write-Host "  $Kind $Target : $Old -> $New"
    }
}

# ---- changes

function Set-RegistryNumber {
    param(
        [Parameter(Mandatory = $true)][string]$Path,
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][int]$Value
    )
    $old = $null
    $item = Get-ItemProperty -LiteralPath $Path -Name $Name -ErrorAction SilentlyContinue
    if ($null -ne $item) {
        $old = $item.$Name
    }
    if ($old -eq $Value) {
        return
    }
    Invoke-Change -Kind 'registry' -Target "$Path|$Name" -Old $old -New $Value -Do {
        if (-not (Test-Path -LiteralPath $Path)) {
            New-Item -Path $Path -Force | Out-Null
        }
        New-ItemProperty -LiteralPath $Path -Name $Name -Value $Value -PropertyType DWord -Force | Out-Null
    }
}

function Set-ServiceRunning {
    param([Parameter(Mandatory = $true)][string]$Name)
    $service = Get-Service -Name $Name -ErrorAction SilentlyContinue
    if ($null -eq $service) {
        throw "There is no service $Name on this machine."
    }
    $old = "$($service.StartType)/$($service.Status)"
    if ($old -eq 'Automatic/Running') {
        return
    }
    Invoke-Change -Kind 'service' -Target $Name -Old $old -New 'Automatic/Running' -Do {
        Set-Service -Name $Name -StartupType Automatic
        Start-Service -Name $Name
    }
}

function Set-FirewallRule {
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][string]$Ports,
        [Parameter(Mandatory = $true)][string[]]$From
    )
    $sorted = @($From | Sort-Object) -join ','
    $wanted = "$Ports from $sorted"
    $old = $null
    $rule = Get-NetFirewallRule -Name $Name -ErrorAction SilentlyContinue
    if ($null -ne $rule) {
        $presentPorts = @(($rule | Get-NetFirewallPortFilter).LocalPort) -join ','
        $presentFrom = @(($rule | Get-NetFirewallAddressFilter).RemoteAddress | Sort-Object) -join ','
        $old = "$presentPorts from $presentFrom"
    }
    if ($old -eq $wanted) {
        return
    }
    Invoke-Change -Kind 'firewall' -Target $Name -Old $old -New $wanted -Do {
        if ($null -ne $rule) {
            Remove-NetFirewallRule -Name $Name
        }
        New-NetFirewallRule -Name $Name -DisplayName "dtui: $Name" -Group 'dtui' -Direction Inbound -Action Allow -Protocol TCP -LocalPort $Ports -RemoteAddress $From -Profile Any | Out-Null
    }
}

function Set-MachineExecutionPolicy {
    param([Parameter(Mandatory = $true)][string]$Value)
    $old = [string](Get-ExecutionPolicy -Scope LocalMachine)
    if ($old -in @('RemoteSigned', 'Unrestricted', 'Bypass')) {
        return
    }
    Invoke-Change -Kind 'execution-policy' -Target 'LocalMachine' -Old $old -New $Value -Do {
        Set-ExecutionPolicy -Scope LocalMachine -ExecutionPolicy $Value -Force
    }
}

function Get-PowerMinutes {
    param([Parameter(Mandatory = $true)][string]$Name)
    $settings = @{ 'standby-timeout-ac' = @('SUB_SLEEP', 'STANDBYIDLE'); 'hibernate-timeout-ac' = @('SUB_SLEEP', 'HIBERNATEIDLE') }
    $group = $settings[$Name][0]
    $setting = $settings[$Name][1]
    # The text around the number is in the machine's language; the last two numbers are AC and DC, in seconds.
    $text = (& powercfg.exe /query SCHEME_CURRENT $group $setting) -join "`n"
    $numbers = [regex]::Matches($text, '0x[0-9a-fA-F]{8}')
    if ($numbers.Count -lt 2) {
        return $null
    }
    return [int]([Convert]::ToInt64($numbers[$numbers.Count - 2].Value, 16) / 60)
}

function Set-PowerMinutes {
    param([Parameter(Mandatory = $true)][string]$Name, [Parameter(Mandatory = $true)][int]$Minutes)
    $old = Get-PowerMinutes -Name $Name
    if ($old -eq $Minutes) {
        return
    }
    Invoke-Change -Kind 'power' -Target $Name -Old $old -New $Minutes -Do {
        & powercfg.exe /change $Name $Minutes
    }
}

function Set-HibernationOff {
    $path = 'HKLM:\SYSTEM\CurrentControlSet\Control\Power'
    $item = Get-ItemProperty -LiteralPath $path -Name 'HibernateEnabled' -ErrorAction SilentlyContinue
    if ($null -eq $item -or $item.HibernateEnabled -eq 0) {
        return
    }
    Invoke-Change -Kind 'hibernation' -Target 'machine' -Old 'on' -New 'off' -Do {
        & powercfg.exe /hibernate off
    }
}

function Set-TrustedMaster {
    # The client's list: it lets this machine open sessions to the master. It takes the master only, never all.
    param([Parameter(Mandatory = $true)][string]$Address)
    $old = [string](Get-Item -Path 'WSMan:\localhost\Client\TrustedHosts').Value
    $hosts = @($old -split ',' | Where-Object { $_ })
    if ($hosts -contains $Address) {
        return
    }
    $new = (@($hosts) + $Address) -join ','
    Invoke-Change -Kind 'trusted-hosts' -Target 'client' -Old $old -New $new -Do {
        Set-Item -Path 'WSMan:\localhost\Client\TrustedHosts' -Value $new -Force
    }
}

function Enable-Remoting {
    $enabled = $null -ne (Get-PSSessionConfiguration -Name 'Microsoft.PowerShell' -ErrorAction SilentlyContinue)
    $listening = @(Get-ChildItem -Path 'WSMan:\localhost\Listener' -ErrorAction SilentlyContinue).Count -gt 0
    if (-not ($enabled -and $listening)) {
        Invoke-Change -Kind 'remoting' -Target 'machine' -Old 'off' -New 'on' -Do {
            # On a Public network this opens the own subnet only; the rules below name the cluster's addresses.
            Enable-PSRemoting -Force -SkipNetworkProfileCheck | Out-Null
        }
    }

}

function Get-OwnAddress {
    # The address of the adapter that routes to the master: the listener serves no other network.
    param([Parameter(Mandatory = $true)][string]$Toward)
    $route = Find-NetRoute -RemoteIPAddress $Toward | Where-Object { $_.PSObject.Properties.Name -contains 'IPAddress' } | Select-Object -First 1
    return [string]$route.IPAddress
}

function Enable-HttpsListener {
    param([Parameter(Mandatory = $true)][string]$Toward)
    $own = Get-OwnAddress -Toward $Toward
    $https = Get-ChildItem -Path 'WSMan:\localhost\Listener' -ErrorAction SilentlyContinue | Where-Object { $_.Keys -contains 'Transport=HTTPS' }
    if ($null -ne $https) {
        return
    }
    if (-not $PSCmdlet.ShouldProcess($own, 'HTTPS listener with a certificate of its own')) {
        return
    }
    $certificate = New-SelfSignedCertificate -DnsName $env:COMPUTERNAME -CertStoreLocation 'Cert:\LocalMachine\My' -NotAfter (Get-Date).AddYears(5) -FriendlyName 'dtui WinRM'
    Invoke-Change -Kind 'https-listener' -Target "IP:$own" -Old $null -New $certificate.Thumbprint -Do {
        New-Item -Path 'WSMan:\localhost\Listener' -Transport HTTPS -Address "IP:$own" -CertificateThumbPrint $certificate.Thumbprint -Force | Out-Null
    }
    Export-Certificate -Cert $certificate -FilePath (Join-Path $DataFolder 'winrm.cer') | Out-Null
    Write-Host "  certificate for the master: $(Join-Path $DataFolder 'winrm.cer')"
}

function Install-SshServer {
    $name = 'OpenSSH.Server~~~~0.0.1.0'
    $capability = Get-WindowsCapability -Online -Name $name
    if ($capability.State -ne 'Installed') {
        Invoke-Change -Kind 'capability' -Target $name -Old ([string]$capability.State) -New 'Installed' -Do {
            Add-WindowsCapability -Online -Name $name | Out-Null
        }
    }
    # The rule that Windows adds lets everybody in; ours names the cluster's addresses.
    $open = Get-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -ErrorAction SilentlyContinue
    if ($null -ne $open -and [string]$open.Enabled -eq 'True') {
        Invoke-Change -Kind 'firewall-enabled' -Target 'OpenSSH-Server-In-TCP' -Old 'True' -New 'False' -Do {
            Disable-NetFirewallRule -Name 'OpenSSH-Server-In-TCP'
        }
    }
}

function Get-MasterKey {
    if (-not $PublicKey) {
        return ''
    }
    $line = $PublicKey
    if (Test-Path -LiteralPath $PublicKey) {
        $line = (Get-Content -LiteralPath $PublicKey -Raw)
    }
    $line = $line.Trim()
    if ($line -notmatch '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( .*)?$') {
        throw 'That is not a public SSH key. On the master, take the line in id_ed25519.pub (never the file without .pub).'
    }
    return $line
}

function Install-MasterKey {
    # Members of Administrators log in with this file, whatever their own authorized_keys says.
    $line = Get-MasterKey
    if (-not $line) {
        Write-Host '  no -PublicKey given: the master will ask for a password'
        return
    }
    $path = Join-Path $env:ProgramData 'ssh\administrators_authorized_keys'
    $present = @()
    if (Test-Path -LiteralPath $path) {
        $present = @(Get-Content -LiteralPath $path)
    }
    if ($present -contains $line) {
        return
    }
    Invoke-Change -Kind 'authorized-key' -Target $path -Old $null -New $line -Do {
        Add-Content -LiteralPath $path -Value $line -Encoding Ascii
        # Well-known SIDs: Administrators and SYSTEM, whatever the machine's language calls them.
        & icacls.exe $path /inheritance:r /grant '*S-1-5-32-544:F' /grant '*S-1-5-18:F' | Out-Null
    }
}

# ---- undo

function Invoke-Undo {
    $entries = @(Get-JournalEntries)
    if ($entries.Count -eq 0) {
        Write-Host 'Nothing was changed by this script on this machine.'
        return
    }
    [array]::Reverse($entries)
    foreach ($entry in $entries) {
        if (-not $PSCmdlet.ShouldProcess([string]$entry.target, "put back $($entry.kind)")) {
            continue
        }
        Undo-Entry -Entry $entry
        Write-Host "  $($entry.kind) $($entry.target) : put back to $($entry.old)"
    }
    if (-not $WhatIfPreference) {
        Move-Item -LiteralPath (Get-JournalPath) -Destination ((Get-JournalPath) + '.undone') -Force
    }
}

function Undo-Entry {
    param([Parameter(Mandatory = $true)]$Entry)
    switch ($Entry.kind) {
        'registry' {
            $parts = ([string]$Entry.target) -split '\|'
            if ($null -eq $Entry.old) {
                Remove-ItemProperty -LiteralPath $parts[0] -Name $parts[1] -ErrorAction SilentlyContinue
            } else {
                Set-ItemProperty -LiteralPath $parts[0] -Name $parts[1] -Value $Entry.old
            }
        }
        'service' {
            $parts = ([string]$Entry.old) -split '/'
            if ($parts[1] -ne 'Running') {
                Stop-Service -Name $Entry.target -Force -ErrorAction SilentlyContinue
            }
            Set-Service -Name $Entry.target -StartupType $parts[0]
        }
        'firewall' {
            Remove-NetFirewallRule -Name $Entry.target -ErrorAction SilentlyContinue
        }
        'firewall-enabled' {
            Enable-NetFirewallRule -Name $Entry.target
        }
        'execution-policy' {
            Set-ExecutionPolicy -Scope LocalMachine -ExecutionPolicy $Entry.old -Force
        }
        'power' {
            if ($null -ne $Entry.old) {
                & powercfg.exe /change $Entry.target $Entry.old
            }
        }
        'hibernation' {
            & powercfg.exe /hibernate on
        }
        'trusted-hosts' {
            Set-Item -Path 'WSMan:\localhost\Client\TrustedHosts' -Value ([string]$Entry.old) -Force
        }
        'remoting' {
            Disable-PSRemoting -Force
        }
        'https-listener' {
            Get-ChildItem -Path 'WSMan:\localhost\Listener' | Where-Object { $_.Keys -contains 'Transport=HTTPS' } | Remove-Item -Recurse -Force
            Remove-Item -LiteralPath "Cert:\LocalMachine\My\$($Entry.new)" -ErrorAction SilentlyContinue
        }
        'capability' {
            Remove-WindowsCapability -Online -Name $Entry.target | Out-Null
        }
        'authorized-key' {
            $rest = @(Get-Content -LiteralPath $Entry.target | Where-Object { $_ -ne $Entry.new })
            Set-Content -LiteralPath $Entry.target -Value $rest -Encoding Ascii
        }
        default {
            throw "The journal has an entry that this version does not know: $($Entry.kind)."
        }
    }
}

# ---- what the machine is, and whether it is ready

function Get-GpuList {
    $found = @()
    $smi = Get-Command -Name 'nvidia-smi.exe' -ErrorAction SilentlyContinue
    if ($null -ne $smi) {
        $rows = @(& $smi.Source --query-gpu=name,memory.total,driver_version --format=csv,noheader,nounits)
        if ($LASTEXITCODE -eq 0) {
            foreach ($row in $rows) {
                $cells = @($row -split ',' | ForEach-Object { $_.Trim() })
                $found += [pscustomobject]@{ name = $cells[0]; memory_mib = $cells[1]; driver = $cells[2] }
            }
        }
    }
    return $found
}

function Get-PythonPath {
    # The Store's placeholder is called python.exe too; only one that runs counts.
    foreach ($candidate in @(@('py', '-3'), @('python'), @('python3'))) {
        $rest = @($candidate | Select-Object -Skip 1)
        if ($null -eq (Get-Command -Name $candidate[0] -ErrorAction SilentlyContinue)) {
            continue
        }
        try {
            $answer = @(& $candidate[0] @rest -c 'import sys; print(sys.executable); print(sys.version_info >= (3, 9))' 2>$null)
        } catch {
            continue
        }
        if ($answer.Count -eq 2 -and $answer[1] -eq 'True') {
            return [string]$answer[0]
        }
    }
    return ''
}

function Get-HostKeyFingerprint {
    $folder = Join-Path $env:ProgramData 'ssh'
    $public = Join-Path $folder 'ssh_host_ed25519_key.pub'
    if (-not (Test-Path -LiteralPath $public)) {
        return ''
    }
    $blob = [Convert]::FromBase64String(((Get-Content -LiteralPath $public -Raw) -split ' ')[1])
    $sha = [Security.Cryptography.SHA256]::Create()
    return 'SHA256:' + [Convert]::ToBase64String($sha.ComputeHash($blob)).TrimEnd('=')
}

function Save-SystemInformation {
    $system = Get-CimInstance -ClassName Win32_OperatingSystem
    $computer = Get-CimInstance -ClassName Win32_ComputerSystem
    $processor = Get-CimInstance -ClassName Win32_Processor | Select-Object -First 1
    $information = [ordered]@{
        computer = $env:COMPUTERNAME
        system = $system.Caption
        build = $system.BuildNumber
        processor = $processor.Name
        memory_bytes = $computer.TotalPhysicalMemory
        gpus = @(Get-GpuList)
        python = Get-PythonPath
        addresses = @(Get-NetIPAddress -AddressFamily IPv4 | Where-Object { $_.IPAddress -ne '127.0.0.1' } | ForEach-Object { $_.IPAddress })
        collected = (Get-Date).ToString('o')
    }
    $path = Join-Path $DataFolder 'system.json'
    if ($PSCmdlet.ShouldProcess($path, 'save system information')) {
        [IO.File]::WriteAllText($path, ($information | ConvertTo-Json -Depth 4), (New-Object Text.UTF8Encoding($false)))
        Write-Host "  saved in $path"
    }
    return [pscustomobject]$information
}

function Test-ServiceReady {
    param([Parameter(Mandatory = $true)][string]$Name)
    $service = Get-Service -Name $Name -ErrorAction SilentlyContinue
    return ($null -ne $service -and [string]$service.Status -eq 'Running')
}

function Show-Checks {
    param([Parameter(Mandatory = $true)]$Information)
    $good = $true
    $results = @()
    foreach ($service in (Get-Effects).services) {
        if (Test-Wanted -For $service.transport) {
            $results += [pscustomobject]@{ ok = (Test-ServiceReady -Name $service.name); text = "service $($service.name) is running" }
        }
    }
    if (Test-Wanted -For 'winrm') {
        $trusted = @(([string](Get-Item -Path 'WSMan:\localhost\Client\TrustedHosts').Value) -split ',')
        $results += [pscustomobject]@{ ok = ($trusted -contains $MasterIP); text = "TrustedHosts names the master ($MasterIP)" }
        $answers = $null -ne (Test-WSMan -ErrorAction SilentlyContinue)
        $results += [pscustomobject]@{ ok = $answers; text = 'PowerShell Remoting answers (Test-WSMan)' }
    }
    foreach ($rule in (Get-Effects).firewall) {
        if (Test-Wanted -For $rule.transport) {
            $present = $null -ne (Get-NetFirewallRule -Name $rule.name -ErrorAction SilentlyContinue)
            $results += [pscustomobject]@{ ok = $present; text = "firewall rule $($rule.name): ports $($rule.ports) from the cluster" }
        }
    }
    $results += [pscustomobject]@{ ok = ([string]$Information.python -ne ''); text = "Python 3.9 or newer: $($Information.python)" }
    $results += [pscustomobject]@{ ok = (@($Information.gpus).Count -gt 0); text = "NVIDIA GPUs: $(@($Information.gpus).Count)" }
    foreach ($result in $results) {
        Write-Result -Good $result.ok -Text $result.text
        $good = $good -and $result.ok
    }
    return $good
}

function Show-NodeBlock {
    param([Parameter(Mandatory = $true)]$Information)
    $own = Get-OwnAddress -Toward $MasterIP
    $how = 'auto'
    if ($Transport -ne 'both') {
        $how = $Transport
    }
    Write-Step 'For the master: paste this under nodes: in configs/nodes.yaml'
    Write-Host "  - name: $($env:COMPUTERNAME.ToLowerInvariant())"
    Write-Host "    address: $own"
    Write-Host "    transport: $how"
    Write-Host "    user: $($env:USERNAME)"
    if ($Information.python) {
        Write-Host "    python: '$($Information.python)'"
    }
    if (Test-Wanted -For 'ssh') {
        Write-Host ''
        Write-Host '  dtui shows this fingerprint at the first connection. It must be the same:'
        Write-Host "  $(Get-HostKeyFingerprint)" -ForegroundColor Yellow
    }
}

# ---- the whole

function Set-Worker {
    $cluster = @(@($MasterIP) + $ClusterIPs | Where-Object { $_ } | Select-Object -Unique)
    $effects = Get-Effects
    Write-Step 'Services'
    if (Test-Wanted -For 'winrm') {
        Enable-Remoting
        Enable-HttpsListener -Toward $MasterIP
        Set-TrustedMaster -Address $MasterIP
    }
    if (Test-Wanted -For 'ssh') {
        Install-SshServer
        Install-MasterKey
    }
    foreach ($service in $effects.services) {
        if (Test-Wanted -For $service.transport) {
            Set-ServiceRunning -Name $service.name
        }
    }
    Write-Step "Firewall: from $($cluster -join ', ') only"
    foreach ($rule in $effects.firewall) {
        if (Test-Wanted -For $rule.transport) {
            Set-FirewallRule -Name $rule.name -Ports $rule.ports -From $cluster
        }
    }
    Write-Step 'System'
    foreach ($number in $effects.registry) {
        if (Test-Wanted -For $number.transport) {
            if ($number.name -eq 'LocalAccountTokenFilterPolicy') {
                Write-Host '  note: LocalAccountTokenFilterPolicy lets local administrators keep their rights over the network.'
                Write-Host '        WinRM needs it for local accounts; -Undo takes it back.'
            }
            Set-RegistryNumber -Path $number.path -Name $number.name -Value $number.value
        }
    }
    Set-MachineExecutionPolicy -Value $effects.execution_policy.value
    foreach ($setting in $effects.power) {
        Set-PowerMinutes -Name $setting.name -Minutes $setting.value
    }
    Set-HibernationOff
}

function Invoke-WorkerSetup {
    Assert-Administrator
    if (-not (Test-Path -LiteralPath $DataFolder)) {
        New-Item -ItemType Directory -Path $DataFolder -Force -WhatIf:$false | Out-Null
    }
    if ($Undo) {
        Write-Step 'Putting back what this script changed'
        Invoke-Undo
        return
    }
    if (-not $MasterIP) {
        throw 'Name the master: -MasterIP 192.168.1.100. The firewall lets in the cluster and nobody else.'
    }
    foreach ($address in @($MasterIP) + $ClusterIPs) {
        Assert-Address -Address $address
    }
    Set-Worker
    Write-Step 'System information'
    $information = Save-SystemInformation
    Write-Step 'Checks'
    $good = Show-Checks -Information $information
    Show-NodeBlock -Information $information
    if (-not $good) {
        Write-Host ''
        Write-Host 'Something above is red: put it right and run this again. Nothing is changed twice.' -ForegroundColor Yellow
    }
}

Invoke-WorkerSetup
