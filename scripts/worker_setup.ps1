<#
.SYNOPSIS
    Prepares a Windows GPU machine as a dtui worker: once, as administrator.

.DESCRIPTION
    Opens PowerShell Remoting (WinRM over HTTPS), OpenSSH, or both, and the ports that a distributed run needs, for
    the cluster's addresses only. Keeps the machine awake. Saves what the machine is. Every change is written to a
    journal with its old value first, so that -Undo puts everything back. Running it again changes nothing that is
    right already. -WhatIf shows what would be changed, and changes nothing.

.PARAMETER MasterIP
    Address of the master: the machine that dtui runs on.

.PARAMETER ClusterIPs
    Addresses of all other workers. Ranks connect to each other directly, on ports that the system chooses.

.PARAMETER Transport
    ssh, winrm or both: how the master logs in.

.PARAMETER PublicKey
    The master's public SSH key (the line in its id_ed25519.pub), or the path of a file with it.

.PARAMETER DataFolder
    Where the journal and the system information are kept.

.PARAMETER Undo
    Puts back everything that earlier runs of this script changed on this machine.

.EXAMPLE
    powershell -ExecutionPolicy Bypass -File scripts\worker_setup.ps1 -MasterIP 192.168.1.100 -ClusterIPs "192.168.1.101,192.168.1.102"
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

. (Join-Path $PSScriptRoot 'setup\say.ps1')
. (Join-Path $PSScriptRoot 'setup\guard.ps1')
. (Join-Path $PSScriptRoot 'setup\native.ps1')
. (Join-Path $PSScriptRoot 'setup\journal.ps1')
. (Join-Path $PSScriptRoot 'setup\firewall.ps1')
. (Join-Path $PSScriptRoot 'setup\system.ps1')
. (Join-Path $PSScriptRoot 'setup\power.ps1')
. (Join-Path $PSScriptRoot 'setup\remoting.ps1')
. (Join-Path $PSScriptRoot 'setup\openssh.ps1')
. (Join-Path $PSScriptRoot 'setup\machine.ps1')

# What this script may change, in one place: a test holds it against what dtui's preflight expects.
$EffectsJson = @'
{
  "firewall": [
    {"name": "dtui-ssh", "protocol": "TCP", "ports": "22", "transport": "ssh", "purpose": "SSH"},
    {"name": "dtui-winrm", "protocol": "TCP", "ports": "5985-5986", "transport": "winrm", "purpose": "WinRM"},
    {"name": "dtui-rendezvous", "protocol": "TCP", "ports": "29500-29504", "transport": "both", "purpose": "rendezvous"},
    {"name": "dtui-ranks", "protocol": "TCP", "ports": "dynamic", "transport": "both", "purpose": "ranks among each other"},
    {"name": "dtui-ping", "protocol": "ICMPv4", "ports": "", "transport": "both", "purpose": "ping"}
  ],
  "closed": [
    {"name": "WINRM-HTTP-In-TCP", "transport": "winrm"},
    {"name": "WINRM-HTTP-In-TCP-NoScope", "transport": "winrm"},
    {"name": "WINRM-HTTP-In-TCP-PUBLIC", "transport": "winrm"},
    {"name": "OpenSSH-Server-In-TCP", "transport": "ssh"}
  ],
  "services": [
    {"name": "WinRM", "start": "Automatic", "transport": "winrm"},
    {"name": "sshd", "start": "Automatic", "transport": "ssh"}
  ],
  "listeners": [
    {"scheme": "HTTPS", "port": 5986, "transport": "winrm"}
  ],
  "registry": [
    {"path": "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem", "name": "LongPathsEnabled", "value": 1, "transport": "both"},
    {"path": "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System", "name": "LocalAccountTokenFilterPolicy", "value": 1, "transport": "winrm"}
  ],
  "power_plan": "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c",
  "power": [
    {"name": "standby-timeout-ac", "setting": "STANDBYIDLE", "minutes": 0},
    {"name": "hibernate-timeout-ac", "setting": "HIBERNATEIDLE", "minutes": 0}
  ],
  "execution_policy": "RemoteSigned"
}
'@

function Get-Effects {
    return ($EffectsJson | ConvertFrom-Json)
}

function Get-JournalPath {
    return (Join-Path $DataFolder 'worker_setup.journal.jsonl')
}

function Test-Wanted {
    param([Parameter(Mandatory = $true)][string]$For)
    return ($For -eq 'both' -or $Transport -eq 'both' -or $For -eq $Transport)
}

function Get-WantedEffects {
    # The entries of one list that belong to the chosen transport.
    param([Parameter(Mandatory = $true)][string]$List)
    return @((Get-Effects).$List | Where-Object { Test-Wanted -For $_.transport })
}

function Set-RemoteAccess {
    param([Parameter(Mandatory = $true)][string]$Own, [string]$Key = '')
    # Looked at before anything is installed, which may add or enable such rules.
    $states = [ordered]@{}
    foreach ($rule in @(Get-WantedEffects -List 'closed')) {
        $states[$rule.name] = Get-RuleState -Name $rule.name
    }
    if (Test-Wanted -For 'ssh') {
        Install-SshServer
    }
    foreach ($service in @(Get-WantedEffects -List 'services')) {
        Set-ServiceRunning -Name $service.name
    }
    if (Test-Wanted -For 'winrm') {
        Enable-Remoting -States $states
        Enable-HttpsListener -Address $Own
        Set-TrustedMaster -Address $MasterIP
    }
    if (Test-Wanted -For 'ssh') {
        Install-MasterKey -Line $Key
    }
    foreach ($name in @($states.Keys)) {
        Close-OpenRule -Name $name -Before $states[$name]
    }
}

function Set-SystemNumbers {
    foreach ($number in @(Get-WantedEffects -List 'registry')) {
        if ($number.name -eq 'LocalAccountTokenFilterPolicy') {
            if (Test-DomainMember) {
                Write-Note 'LocalAccountTokenFilterPolicy is left alone: accounts of the domain do not need it.'
                continue
            }
            Write-Note 'LocalAccountTokenFilterPolicy = 1: local administrators keep their rights when they log in over the network. WinRM needs that for local accounts. -Undo takes it back.'
        }
        Set-RegistryNumber -Path $number.path -Name $number.name -Value $number.value
    }
}

function Set-Awake {
    $effects = Get-Effects
    Set-PowerPlan -Plan $effects.power_plan
    foreach ($rule in $effects.power) {
        Set-PowerMinutes -Rule $rule
    }
    Set-HibernationOff
}

function Save-SystemInformation {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)]$Information)
    $path = Join-Path $DataFolder 'system.json'
    if ($PSCmdlet.ShouldProcess($path, 'save system information')) {
        Write-TextFile -Path $path -Text ($Information | ConvertTo-Json -Depth 4)
        Write-Host "  saved in $path"
    }
}

function Show-Checks {
    # Returns whether all is well.
    param([Parameter(Mandatory = $true)]$Information)
    $results = @()
    foreach ($service in @(Get-WantedEffects -List 'services')) {
        $results += [pscustomobject]@{ ok = (Test-ServiceRunning -Name $service.name); text = "service $($service.name) is running (Get-Service $($service.name))" }
    }
    if (Test-Wanted -For 'winrm') {
        $trusted = (Test-ServiceRunning -Name 'WinRM') -and (Get-TrustedHosts) -eq $MasterIP
        $results += [pscustomobject]@{ ok = $trusted; text = "TrustedHosts is the master, $MasterIP" }
        $answers = $null -ne (Test-WSMan -ErrorAction SilentlyContinue)
        $results += [pscustomobject]@{ ok = $answers; text = 'PowerShell Remoting answers (Test-WSMan)' }
    }
    foreach ($rule in @(Get-WantedEffects -List 'firewall')) {
        $open = (Get-RuleState -Name $rule.name) -eq 'True'
        $results += [pscustomobject]@{ ok = $open; text = "firewall rule $($rule.name) $($rule.ports) for the cluster" }
    }
    $results += [pscustomobject]@{ ok = ($Information.python -ne ''); text = "Python 3.9 or newer $($Information.python)" }
    foreach ($result in $results) {
        Write-Result -Good $result.ok -Text $result.text
    }
    if (@($Information.gpus).Count -eq 0) {
        Write-Note 'no NVIDIA GPU answers here: this node would train on its CPU.'
    }
    return (@($results | Where-Object { -not $_.ok }).Count -eq 0)
}

function Show-NodeBlock {
    param([Parameter(Mandatory = $true)]$Information, [Parameter(Mandatory = $true)][string]$Own)
    $how = 'auto'
    if ($Transport -ne 'both') {
        $how = $Transport
    }
    Write-Step 'For the master: paste this under nodes: in configs/nodes.yaml'
    Write-Host "  - name: $($env:COMPUTERNAME.ToLowerInvariant())"
    Write-Host "    address: $Own"
    Write-Host "    transport: $how"
    Write-Host "    user: $env:USERNAME"
    $python = ([string]$Information.python).Replace("'", "''")
    if ($python) {
        Write-Host "    python: '$python'"
    }
    $fingerprint = Get-CertificateFingerprint -Address $Own
    if ($fingerprint -and (Test-Wanted -For 'winrm')) {
        Write-Host '    winrm:'
        Write-Host "      fingerprint: $fingerprint"
    }
    if (Test-Wanted -For 'ssh') {
        Write-Host ''
        Write-Host '  dtui shows the host key at the first connection. It must have this fingerprint:'
        Write-Host "  $(Get-HostKeyFingerprint)" -ForegroundColor Yellow
    }
}

function Invoke-WorkerSetup {
    Assert-Administrator
    Initialize-DataFolder -Path $DataFolder
    if ($Undo) {
        Write-Step 'Putting back what this script changed'
        Invoke-Undo
        Remove-RestOfGroup -Journals (Get-AllJournals)
        return
    }
    if (-not $MasterIP) {
        throw 'Name the master: -MasterIP 192.168.1.100. The firewall lets in the cluster and nobody else.'
    }
    $cluster = @(Get-AddressList -Given (@($MasterIP) + $ClusterIPs))
    $key = Get-MasterKey -Given $PublicKey
    $own = Get-OwnAddress -Toward $MasterIP
    if ($ClusterIPs.Count -eq 0) {
        Write-Note 'no -ClusterIPs: with several workers they must reach each other too. Name them all and run this again.'
    }
    Write-Step 'Remote access'
    Set-RemoteAccess -Own $own -Key $key
    Write-Step "Firewall, from $($cluster -join ', ') only"
    foreach ($rule in @(Get-WantedEffects -List 'firewall')) {
        Set-ClusterRule -Rule $rule -From $cluster
    }
    Write-Step 'System'
    Set-SystemNumbers
    Set-MachinePolicy -Value (Get-Effects).execution_policy
    Set-Awake
    Write-Step 'System information'
    $information = Get-SystemInformation
    Save-SystemInformation -Information $information
    Write-Step 'Checks'
    $good = Show-Checks -Information $information
    Show-NodeBlock -Information $information -Own $own
    if (-not $good -and -not $WhatIfPreference) {
        Write-Host ''
        Write-Host 'Something above is red: put it right and run this again. Nothing is changed twice.' -ForegroundColor Yellow
        exit 1
    }
}

# Dot-sourced, the functions can be looked at and tried one by one.
if ($MyInvocation.InvocationName -ne '.') {
    Invoke-WorkerSetup
}
