# A simulated Windows: one state, and the cmdlets that the setup scripts use on it, with Windows' types, errors and
# side effects. A call can be made to fail before or after its effect.

function New-Windows {
    # A clean Windows 11 whose remoting was never on, in a folder of its own. `Change` alters the state.
    param([Parameter(Mandatory)][string]$Folder, [scriptblock]$Change = {})
    foreach ($name in @('ProgramData', 'Windows', 'ProgramFiles', 'bin')) {
        [IO.Directory]::CreateDirectory((Join-Path $Folder $name)) | Out-Null
    }
    $env:ProgramData = Join-Path $Folder 'ProgramData'
    $env:SystemRoot = Join-Path $Folder 'Windows'
    $env:ProgramFiles = Join-Path $Folder 'ProgramFiles'
    $env:SystemDrive = 'C:'
    $env:COMPUTERNAME = 'GPU-PC'
    $env:USERNAME = 'kim'
    $env:USERDOMAIN = 'GPU-PC'
    $env:OS = 'Windows_NT'
    [Environment]::SetEnvironmentVariable('SSH_CONNECTION', $null)
    $denied = 'O:NSG:BAD:P(D;;GA;;;NU)(A;;GA;;;BA)(A;;GA;;;RM)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)'
    $global:Windows = @{
        folder = $Folder
        facts = @{
            System = 'Windows'; Edition = 'Desktop'; Version = '5.1.26100.1'; Is64BitSystem = $true; Is64BitProcess = $true
            LanguageMode = 'FullLanguage'; Elevated = $true; Account = 'GPU-PC\kim'; Sid = 'S-1-5-21-1-2-3-1001'
        }
        state = @{
            rules = @{}
            networks = @{}
            services = @{
                WinRM = @{ start = 'Manual'; status = 'Stopped' }
                MpsSvc = @{ start = 'Automatic'; status = 'Running' }
            }
            registry = @{
                'HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem' = @{ LongPathsEnabled = 0 }
                'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System' = @{ EnableLUA = 1 }
                'HKLM:\SYSTEM\CurrentControlSet\Control\Power' = @{ HibernateEnabled = 1; HibernateEnabledDefault = 1 }
            }
            capability = 'NotPresent'
            listeners = @{}
            endpoints = @{ 'microsoft.powershell' = $denied; 'microsoft.powershell32' = $denied; 'microsoft.powershell.workflow' = $denied }
            trusted = ''
            certificates = @{}
            acls = @{}
            policy = @{ MachinePolicy = 'Undefined'; UserPolicy = 'Undefined'; LocalMachine = 'Restricted' }
            plan = '381b4222-f694-41f0-9685-ff5bb260df2e'
            plans = @{
                '381b4222-f694-41f0-9685-ff5bb260df2e' = @{ STANDBYIDLE = 1800; HIBERNATEIDLE = 10800 }
                '8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c' = @{ STANDBYIDLE = 900; HIBERNATEIDLE = 0 }
            }
        }
        domain = $false
        address = '192.168.1.101'
        language = 'English'
        dynamic = @(49152, 16384)
        wmi = @{
            Win32_OperatingSystem = @{ Caption = 'Microsoft Windows 11 Pro'; BuildNumber = '26100' }
            Win32_Processor = @{ Name = 'CPU' }
            Win32_LogicalDisk = @{ FreeSpace = 500000000000 }
            Win32_VideoController = @{ Name = 'NVIDIA RTX 4090' }
        }
        answers = @()
        faults = @{}
        fail = $null
        calls = [Collections.ArrayList]::new()
        exposed = [Collections.ArrayList]::new()
    }
    foreach ($name in @('Domain', 'Private', 'Public')) {
        $Windows.state.networks[$name] = @{ Enabled = 'True'; DefaultInboundAction = 'NotConfigured'; AllowLocalFirewallRules = 'NotConfigured'; AllowInboundRules = 'NotConfigured' }
    }
    Add-SimRule -Name 'WINRM-HTTP-In-TCP' -Ports '5985' -From 'LocalSubnet' -Enabled 'False' -Program 'System'
    Add-SimRule -Name 'WINRM-HTTP-In-TCP-NoScope' -Ports '5985' -Enabled 'False' -Program 'System'
    Add-SimRule -Name 'RemoteDesktop-UserMode-In-TCP' -Ports '3389' -Enabled 'False'
    Add-SimRule -Name 'Store-App' -Protocol 'Any' -Ports 'Any' -Package 'S-1-15-2-1'
    Set-SimPython "dtui=3.12=$([BitConverter]::ToString([Text.Encoding]::UTF8.GetBytes('C:\Python312\python.exe')).Replace('-', '').ToLower())"
    & $Change
}

function Set-SimPython {
    param([string]$Answer)
    $path = Join-Path $Windows.folder 'bin/python'
    [IO.File]::WriteAllText($path, "#!/bin/sh`necho '$Answer'`n")
    [IO.File]::SetUnixFileMode($path, [IO.UnixFileMode]'UserRead, UserWrite, UserExecute')
    $env:PATH = Join-Path $Windows.folder 'bin'
}

function Add-SimRule {
    param($Name, $Ports = @('Any'), $From = @('Any'), $Enabled = 'True', $Action = 'Allow', $Protocol = 'TCP', $Program = 'Any', $Package = '', $Direction = 'Inbound', $Source = 'Local', $Display = '')
    $Windows.state.rules[$Name] = @{
        DisplayName = $(if ($Display) { $Display } else { $Name }); Group = ''; Direction = $Direction; Action = $Action; Enabled = $Enabled
        Profile = 'Any'; Protocol = $Protocol; LocalPort = @($Ports); IcmpType = @('Any'); RemoteAddress = @($From)
        LocalAddress = @('Any'); Program = $Program; Package = $Package; Source = $Source
    }
}

function Get-SimOpen {
    # What lets everybody in: port, rule. `Served` looks at whether something listens there as well.
    param([switch]$Served)
    foreach ($name in ($Windows.state.rules.Keys | Sort-Object)) {
        $rule = $Windows.state.rules[$name]
        if ($rule.Enabled -ne 'True' -or $rule.Direction -ne 'Inbound' -or $rule.Action -ne 'Allow' -or $rule.Package) { continue }
        if (-not ($rule.RemoteAddress | Where-Object { $_ -in 'Any', 'LocalSubnet' })) { continue }
        foreach ($port in @(22, 5985, 5986)) {
            $covered = $rule.Protocol -in 'TCP', 'Any' -and @($rule.LocalPort | Where-Object {
                    $_ -eq 'Any' -or $_ -eq "$port" -or ($_ -match '^(\d+)-(\d+)$' -and $port -ge [int]$Matches[1] -and $port -le [int]$Matches[2]) }).Count
            if (-not $covered) { continue }
            $service = if ($port -eq 22) { 'sshd' } else { 'WinRM' }
            if ($Served -and (-not $Windows.state.services.ContainsKey($service) -or $Windows.state.services[$service].status -ne 'Running')) { continue }
            "$port by $name"
        }
    }
}

function Get-SimSnapshot {
    # Everything that a script can change, one line for each value. What sshd makes for itself at its first start
    # stays on a real Windows too, and is left out.
    $lines = [Collections.ArrayList]::new()
    function Add-Lines($Path, $Value) {
        if ($Value -is [Collections.IDictionary]) {
            if ($Value.Count -eq 0) { [void]$lines.Add("$Path = {}") }
            foreach ($key in $Value.Keys) { Add-Lines "$Path/$key" $Value[$key] }
        } else {
            [void]$lines.Add("$Path = $(@($Value) -join ',')")
        }
    }
    foreach ($key in $Windows.state.Keys) { if ($key -ne 'acls') { Add-Lines $key $Windows.state[$key] } }
    foreach ($item in @(Microsoft.PowerShell.Management\Get-ChildItem -LiteralPath $env:ProgramData -Recurse -Force)) {
        if ($item.Name -match '^(ssh|ssh_host_ed25519_key\.pub|sshd_config)$') { continue }
        $content = if ($item -is [IO.FileInfo]) { [BitConverter]::ToString([IO.File]::ReadAllBytes($item.FullName)) } else { 'folder' }
        [void]$lines.Add("file $($item.FullName) = $content, $(Get-SimSddl $item.FullName)")
    }
    return @($lines | Sort-Object)
}

function Get-SimSddl([string]$Path) {
    if ($Windows.state.acls.ContainsKey($Path)) { return $Windows.state.acls[$Path] }
    return 'O:BAG:S-1-5-21-1-2-3-513D:AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)'
}

function New-SimError {
    param([string]$Text, [string]$Id = 'Simulated', [string]$Category = 'NotSpecified', $Target = $null)
    return [Management.Automation.ErrorRecord]::new([Exception]::new($Text), $Id, $Category, $Target)
}

function Invoke-Sim {
    # One call of a cmdlet: counted, made to fail where the test asks for it, and its errors given out as the
    # caller's preferences say. Cmdlets of script modules see only the global preference.
    param($Cmdlet, $Bound, [switch]$Change, [switch]$InScript, [scriptblock]$Do)
    $sim_name = $Cmdlet.MyInvocation.MyCommand.Name
    $sim_preference = 'Continue'
    if ($Bound.ContainsKey('ErrorAction')) {
        $sim_preference = [string]$Bound['ErrorAction']
    } elseif ($InScript) {
        $sim_preference = [string]$global:ErrorActionPreference
    } else {
        $sim_preference = [string]$Cmdlet.SessionState.PSVariable.GetValue('ErrorActionPreference')
    }
    if ($Change -and $sim_name -notmatch '^(Disable|Remove|Set)-NetFirewallRule$|^Stop-Service$') {
        foreach ($sim_open in @(Get-SimOpen -Served)) { [void]$Windows.exposed.Add("$sim_open, at $sim_name") }
    }
    $sim_kind = if ($Change) { 'change' } else { 'read' }
    [void]$Windows.calls.Add("$sim_kind $sim_name")
    $sim_number = $Windows.calls.Count
    $sim_fault = $null
    if ($null -ne $Windows.fail) {
        $sim_hit = if ($Windows.fail.ContainsKey('name')) { $sim_name -match $Windows.fail.name } else { $sim_number -eq $Windows.fail.at }
        if ($sim_hit) { $sim_fault = New-SimError 'Access is denied. (injected)' 'Injected' 'PermissionDenied' $sim_name }
    }
    $sim_record = $null
    if ($null -eq $sim_fault -or $Windows.fail.when -eq 'after') {
        try {
            & $Do
        } catch {
            $sim_record = $_
        }
    }
    if ($null -ne $sim_fault) { $sim_record = $sim_fault }
    if ($null -eq $sim_record) { return }
    # The cmdlet's own name is part of the error's identifier.
    $sim_id = $sim_record.FullyQualifiedErrorId -replace ',.+$', ''
    $sim_full = [Management.Automation.ErrorRecord]::new($sim_record.Exception, $sim_id, $sim_record.CategoryInfo.Category, $sim_record.TargetObject)
    if ($sim_preference -eq 'Stop') { $Cmdlet.ThrowTerminatingError($sim_full) }
    if ($sim_preference -eq 'Continue') { Write-Error -ErrorRecord $sim_full -ErrorAction Continue }
}

function Get-SimHostFacts { return $Windows.facts.Clone() }

# --- NetSecurity, NetTCPIP: script modules

function ConvertTo-SimRule([string]$Name) {
    $rule = $Windows.state.rules[$Name]
    $type = if ($rule.Source -eq 'Local') { 'Local' } else { 'GroupPolicy' }
    return [pscustomobject]@{
        Name = $Name; InstanceID = $Name; DisplayName = $rule.DisplayName; Group = $rule.Group; Direction = $rule.Direction
        Action = $rule.Action; Enabled = $rule.Enabled; Profile = $rule.Profile; PolicyStoreSourceType = $type
    }
}

function Get-NetFirewallRule {
    [CmdletBinding()]
    param([string[]]$Name, [string]$Group, [string]$PolicyStore)
    Invoke-Sim $PSCmdlet $PSBoundParameters -InScript -Do {
        if ($Windows.state.services.MpsSvc.status -ne 'Running') { throw (New-SimError 'The service is not running.' 'HRESULT 0x80070426') }
        $known = @($Windows.state.rules.Keys | Where-Object { $PolicyStore -eq 'ActiveStore' -or $Windows.state.rules[$_].Source -eq 'Local' } | Sort-Object)
        if ($Name) {
            foreach ($one in $Name) {
                if ($known -notcontains $one) {
                    throw (New-SimError "No MSFT_NetFirewallRule objects found with property 'InstanceID' equal to '$one'.  Verify the value of the property and retry." 'CmdletizationQuery_NotFound_InstanceID' 'ObjectNotFound' $one)
                }
                ConvertTo-SimRule $one
            }
        } elseif ($Group) {
            $found = @($known | Where-Object { $Windows.state.rules[$_].Group -eq $Group })
            if (-not $found) {
                throw (New-SimError "No MSFT_NetFirewallRule objects found with property 'RuleGroup' equal to '$Group'." 'CmdletizationQuery_NotFound_RuleGroup' 'ObjectNotFound' $Group)
            }
            $found | ForEach-Object { ConvertTo-SimRule $_ }
        } else {
            $known | ForEach-Object { ConvertTo-SimRule $_ }
        }
    }
}

function Get-SimFilter($Cmdlet, $Bound, $Given, [string[]]$Fields) {
    Invoke-Sim $Cmdlet $Bound -InScript -Do {
        $names = if ($null -ne $Given) { @($Given.Name) } else { @($Windows.state.rules.Keys | Sort-Object) }
        foreach ($name in $names) {
            $found = [ordered]@{ InstanceID = $name }
            foreach ($field in $Fields) {
                $value = $Windows.state.rules[$name][$field]
                # One value stands alone, as CIM gives it out.
                $found[$field] = if ($value -is [array] -and $value.Count -eq 1) { $value[0] } else { $value }
            }
            [pscustomobject]$found
        }
    }
}

function Get-NetFirewallPortFilter {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline)]$AssociatedNetFirewallRule, [string]$PolicyStore)
    process { Get-SimFilter $PSCmdlet $PSBoundParameters $AssociatedNetFirewallRule @('Protocol', 'LocalPort', 'IcmpType') }
}

function Get-NetFirewallAddressFilter {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline)]$AssociatedNetFirewallRule, [string]$PolicyStore)
    process { Get-SimFilter $PSCmdlet $PSBoundParameters $AssociatedNetFirewallRule @('RemoteAddress', 'LocalAddress') }
}

function Get-NetFirewallApplicationFilter {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline)]$AssociatedNetFirewallRule, [string]$PolicyStore)
    process { Get-SimFilter $PSCmdlet $PSBoundParameters $AssociatedNetFirewallRule @('Program', 'Package') }
}

function New-NetFirewallRule {
    [CmdletBinding()]
    param(
        [string]$Name, [string]$DisplayName, [string]$Group = '', [ValidateSet('Inbound', 'Outbound')][string]$Direction = 'Inbound',
        [ValidateSet('Allow', 'Block')][string]$Action = 'Allow', [ValidateSet('True', 'False')][string]$Enabled = 'True', [string]$Profile = 'Any',
        [string]$Protocol = 'Any', [string[]]$LocalPort = @('Any'), [string[]]$IcmpType = @('Any'), [string[]]$RemoteAddress = @('Any'),
        [string[]]$LocalAddress = @('Any'), [string]$Program = 'Any'
    )
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -InScript -Do {
        if ($Windows.state.rules.ContainsKey($Name)) { throw (New-SimError 'Cannot create a file when that file already exists.' 'Windows System Error 183' 'ResourceExists') }
        foreach ($one in $RemoteAddress) {
            $parsed = $null
            if ($one -notin 'Any', 'LocalSubnet' -and -not [Net.IPAddress]::TryParse($one, [ref]$parsed)) { throw (New-SimError 'The address is invalid. Addresses may be specified as IP addresses, ranges, or subnets.' 'HRESULT 0x80070057' 'InvalidArgument') }
            if ($null -ne $parsed -and (($Protocol -eq 'ICMPv4' -and $one -match ':') -or ($Protocol -eq 'ICMPv6' -and $one -notmatch ':'))) { throw (New-SimError 'The address is invalid.' 'HRESULT 0x80070057' 'InvalidArgument') }
        }
        $Windows.state.rules[$Name] = @{
            DisplayName = $DisplayName; Group = $Group; Direction = $Direction; Action = $Action; Enabled = $Enabled; Profile = $Profile
            Protocol = $Protocol; LocalPort = @($LocalPort); IcmpType = @($IcmpType); RemoteAddress = @($RemoteAddress)
            LocalAddress = @($LocalAddress); Program = $Program; Package = ''; Source = 'Local'
        }
        ConvertTo-SimRule $Name
    }
}

function Set-SimRuleState($Cmdlet, $Bound, $Names, $Effect) {
    Invoke-Sim $Cmdlet $Bound -Change -InScript -Do {
        foreach ($one in $Names) {
            if (-not $Windows.state.rules.ContainsKey($one) -or $Windows.state.rules[$one].Source -ne 'Local') {
                throw (New-SimError "No MSFT_NetFirewallRule objects found with property 'InstanceID' equal to '$one'." 'CmdletizationQuery_NotFound_InstanceID' 'ObjectNotFound' $one)
            }
            & $Effect $one
        }
    }
}

function Enable-NetFirewallRule { [CmdletBinding()] param([string[]]$Name) Set-SimRuleState $PSCmdlet $PSBoundParameters $Name { $Windows.state.rules[$args[0]].Enabled = 'True' } }
function Disable-NetFirewallRule { [CmdletBinding()] param([string[]]$Name) Set-SimRuleState $PSCmdlet $PSBoundParameters $Name { $Windows.state.rules[$args[0]].Enabled = 'False' } }
function Remove-NetFirewallRule { [CmdletBinding()] param([string[]]$Name) Set-SimRuleState $PSCmdlet $PSBoundParameters $Name { $Windows.state.rules.Remove($args[0]) } }

function Get-NetFirewallProfile {
    [CmdletBinding()]
    param([string[]]$Name, [string]$PolicyStore)
    Invoke-Sim $PSCmdlet $PSBoundParameters -InScript -Do {
        foreach ($one in @('Domain', 'Private', 'Public')) {
            [pscustomobject](@{ Name = $one } + $Windows.state.networks[$one])
        }
    }
}

function Find-NetRoute {
    [CmdletBinding()]
    param([string]$RemoteIPAddress)
    Invoke-Sim $PSCmdlet $PSBoundParameters -InScript -Do {
        $parsed = $null
        if (-not [Net.IPAddress]::TryParse($RemoteIPAddress, [ref]$parsed)) { throw (New-SimError 'The parameter is incorrect.' 'Windows System Error 87' 'InvalidArgument') }
        if (-not $Windows.address) { throw (New-SimError 'The network location cannot be reached.' 'Windows System Error 1231' 'NotSpecified') }
        [pscustomobject]@{ IPAddress = $Windows.address; InterfaceIndex = 12 }
        [pscustomobject]@{ DestinationPrefix = '0.0.0.0/0'; NextHop = '192.168.1.1'; InterfaceIndex = 12 }
    }
}

function Get-NetIPAddress {
    [CmdletBinding()]
    param([string]$AddressFamily)
    Invoke-Sim $PSCmdlet $PSBoundParameters -InScript -Do {
        [pscustomobject]@{ IPAddress = $Windows.address }
        [pscustomobject]@{ IPAddress = '127.0.0.1' }
    }
}

# --- services, registry, files

function Get-SimService([string]$Name) {
    if (-not $Windows.state.services.ContainsKey($Name)) {
        throw (New-SimError "Cannot find any service with service name '$Name'." 'NoServiceFoundForGivenName' 'ObjectNotFound' $Name)
    }
    return $Windows.state.services[$Name]
}

function Get-Service {
    [CmdletBinding()]
    param([string]$Name)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do {
        $service = Get-SimService $Name
        [pscustomobject]@{ Name = $Name; Status = $service.status; StartType = $service.start }
    }
}

function Set-Service {
    [CmdletBinding()]
    param([string]$Name, [string]$StartupType)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { (Get-SimService $Name).start = $StartupType }
}

function Start-SimService([string]$Name) {
    $service = Get-SimService $Name
    if ($service.start -eq 'Disabled' -or $Windows.faults["start $Name"]) {
        throw (New-SimError "Service '$Name ($Name)' cannot be started due to the following error: Cannot start service $Name on computer '.'." 'CouldNotStartService' 'OpenError' $Name)
    }
    $service.status = 'Running'
    if ($Name -eq 'sshd') {
        $folder = Join-Path $env:ProgramData 'ssh'
        [IO.Directory]::CreateDirectory($folder) | Out-Null
        $key = Join-Path $folder 'ssh_host_ed25519_key.pub'
        if (-not [IO.File]::Exists($key)) { [IO.File]::WriteAllText($key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0m0V2s6bQ3vX1m8m7yRk9b0kqQ3q3m0f3r8m9b0kqQ host`n") }
        $config = Join-Path $folder 'sshd_config'
        if (-not [IO.File]::Exists($config)) { [IO.File]::WriteAllText($config, "#Port 22`r`nAuthorizedKeysFile .ssh/authorized_keys`r`nMatch Group administrators`r`n       AuthorizedKeysFile __PROGRAMDATA__/ssh/administrators_authorized_keys`r`n") }
    }
}

function Start-Service { [CmdletBinding()] param([string]$Name) Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { Start-SimService $Name } }
function Stop-Service { [CmdletBinding()] param([string]$Name, [switch]$Force) Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { (Get-SimService $Name).status = 'Stopped' } }

function Get-ItemProperty {
    [CmdletBinding()]
    param([string]$LiteralPath, [string]$Name)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do {
        if (-not $Windows.state.registry.ContainsKey($LiteralPath)) { throw (New-SimError "Cannot find path '$LiteralPath' because it does not exist." 'PathNotFound' 'ObjectNotFound' $LiteralPath) }
        if (-not $Windows.state.registry[$LiteralPath].ContainsKey($Name)) {
            throw [Management.Automation.ErrorRecord]::new([Management.Automation.PSArgumentException]::new("Property $Name does not exist at path $LiteralPath."), 'System.Management.Automation.PSArgumentException', 'InvalidArgument', $LiteralPath)
        }
        [pscustomobject]@{ $Name = $Windows.state.registry[$LiteralPath][$Name]; PSPath = $LiteralPath }
    }
}

function New-ItemProperty {
    [CmdletBinding()]
    param([string]$LiteralPath, [string]$Name, $Value, [string]$PropertyType, [switch]$Force)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { $Windows.state.registry[$LiteralPath][$Name] = $Value }
}

function Remove-ItemProperty {
    [CmdletBinding()]
    param([string]$LiteralPath, [string]$Name)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { $Windows.state.registry[$LiteralPath].Remove($Name) }
}

function Test-Path {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string]$LiteralPath, [string]$PathType = 'Any')
    if ($LiteralPath -match '^HKLM:') { return $Windows.state.registry.ContainsKey($LiteralPath) }
    return (Microsoft.PowerShell.Management\Test-Path -LiteralPath $LiteralPath -PathType $PathType)
}

function New-Item {
    [CmdletBinding()]
    param([string]$Path, [string]$ItemType, [switch]$Force)
    if ($Path -match '^HKLM:') {
        Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { $Windows.state.registry[$Path] = @{} }
        return
    }
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { Microsoft.PowerShell.Management\New-Item -Path $Path -ItemType $ItemType -Force -ErrorAction Stop }
}

function Get-Item {
    [CmdletBinding()]
    param([string]$Path, [string]$LiteralPath, [switch]$Force)
    if ($Path -notmatch '^WSMan:') { return (Microsoft.PowerShell.Management\Get-Item @PSBoundParameters) }
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do { Assert-SimWinRM; [pscustomobject]@{ Name = 'TrustedHosts'; Value = $Windows.state.trusted } }
}

function Set-Item {
    [CmdletBinding()]
    param([string]$Path, $Value, [switch]$Force)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do {
        Assert-SimWinRM
        if ($Windows.faults['trusted']) { throw (New-SimError 'The config setting TrustedHosts cannot be changed because is controlled by policies.') }
        $Windows.state.trusted = $Value
    }
}

function Get-ChildItem {
    [CmdletBinding()]
    param([string]$Path, [string]$LiteralPath, [switch]$Force)
    if ($Path -notmatch '^Cert:') { return (Microsoft.PowerShell.Management\Get-ChildItem @PSBoundParameters) }
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do {
        foreach ($thumbprint in @($Windows.state.certificates.Keys | Sort-Object)) {
            $one = $Windows.state.certificates[$thumbprint]
            [pscustomobject]@{ Thumbprint = $thumbprint; FriendlyName = $one.name; NotAfter = $one.until; RawData = [Text.Encoding]::ASCII.GetBytes($thumbprint) }
        }
    }
}

function Remove-Item {
    [CmdletBinding()]
    param([string]$Path, [string]$LiteralPath, [switch]$Force, [switch]$DeleteKey)
    if ($Path -match '^Cert:.+\\(\w+)$') {
        $thumbprint = $Matches[1]
        Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { $Windows.state.certificates.Remove($thumbprint) }
        return
    }
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { Microsoft.PowerShell.Management\Remove-Item -LiteralPath $LiteralPath -Force -ErrorAction Stop }
}

function Get-Acl {
    [CmdletBinding()]
    param([string]$LiteralPath)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do {
        if (-not (Microsoft.PowerShell.Management\Test-Path -LiteralPath $LiteralPath)) { throw (New-SimError "Cannot find path '$LiteralPath' because it does not exist." 'GetAcl_PathNotFound' 'ObjectNotFound' $LiteralPath) }
        $acl = [pscustomobject]@{ Sddl = Get-SimSddl $LiteralPath }
        Add-Member -InputObject $acl -MemberType ScriptMethod -Name 'SetSecurityDescriptorSddlForm' -Value { $this.Sddl = $args[0] } -PassThru
    }
}

function Set-Acl {
    [CmdletBinding()]
    param([string]$LiteralPath, $AclObject)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { $Windows.state.acls[$LiteralPath] = $AclObject.Sddl }
}

# --- WinRM and remoting

function Assert-SimWinRM {
    if ($Windows.state.services.WinRM.status -ne 'Running') {
        # The provider would start the service by a script that reads $_, which StrictMode refuses.
        throw (New-SimError "The variable '`$_' cannot be retrieved because it has not been set." 'VariableIsUndefined' 'InvalidOperation')
    }
}

function Get-WSManInstance {
    [CmdletBinding()]
    param([string]$ResourceURI, [switch]$Enumerate)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do {
        Assert-SimWinRM
        foreach ($key in @($Windows.state.listeners.Keys | Sort-Object)) {
            $one = $Windows.state.listeners[$key]
            $found = [ordered]@{ Address = $one.address; Transport = $one.transport; Port = [string]$one.port; Enabled = 'true'; Hostname = $one.hostname; CertificateThumbprint = $one.thumbprint }
            if ($one.address -eq '*' -or $one.address -eq "IP:$($Windows.address)") { $found['ListeningOn'] = @('127.0.0.1', $Windows.address) }
            [pscustomobject]$found
        }
    }
}

function New-WSManInstance {
    [CmdletBinding()]
    param([string]$ResourceURI, [hashtable]$SelectorSet, [hashtable]$ValueSet)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do {
        Assert-SimWinRM
        $key = "$($SelectorSet.Transport) $($SelectorSet.Address)"
        if ($Windows.state.listeners.ContainsKey($key)) { throw (New-SimError '<f:WSManFault xmlns:f="x" Code="2150858753" Machine="GPU-PC"><f:Message>The WS-Management service cannot create the resource because it already exists. </f:Message></f:WSManFault>') }
        if (-not $Windows.state.certificates.ContainsKey($ValueSet.CertificateThumbprint)) { throw (New-SimError '<f:WSManFault xmlns:f="x" Code="2150858798" Machine="GPU-PC"><f:Message>Cannot create a WinRM listener on HTTPS: no certificate. </f:Message></f:WSManFault>') }
        $Windows.state.listeners[$key] = @{ address = $SelectorSet.Address; transport = $SelectorSet.Transport; port = 5986; hostname = $ValueSet.Hostname; thumbprint = $ValueSet.CertificateThumbprint }
    }
}

function Remove-WSManInstance {
    [CmdletBinding()]
    param([string]$ResourceURI, [hashtable]$SelectorSet)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do {
        Assert-SimWinRM
        $key = "$($SelectorSet.Transport) $($SelectorSet.Address)"
        if (-not $Windows.state.listeners.ContainsKey($key)) { throw (New-SimError '<f:WSManFault xmlns:f="x" Code="2150858752" Machine="GPU-PC"><f:Message>The WS-Management service cannot find the resource. </f:Message></f:WSManFault>') }
        $Windows.state.listeners.Remove($key)
    }
}

function Test-WSMan {
    [CmdletBinding()]
    param()
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do { Assert-SimWinRM; [pscustomobject]@{ wsmid = 'x' } }
}

function Get-PSSessionConfiguration {
    [CmdletBinding()]
    param([string]$Name)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do {
        Assert-SimWinRM
        foreach ($one in @($Windows.state.endpoints.Keys | Sort-Object)) { [pscustomobject]@{ Name = $one; SecurityDescriptorSddl = $Windows.state.endpoints[$one] } }
    }
}

function Set-PSSessionConfiguration {
    [CmdletBinding()]
    param([string]$Name, [string]$SecurityDescriptorSddl, [switch]$Force, [switch]$NoServiceRestart)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { Assert-SimWinRM; $Windows.state.endpoints[$Name] = $SecurityDescriptorSddl }
}

function Unregister-PSSessionConfiguration {
    [CmdletBinding()]
    param([string]$Name, [switch]$Force, [switch]$NoServiceRestart)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do { Assert-SimWinRM; $Windows.state.endpoints.Remove($Name) }
}

function Enable-PSRemoting {
    [CmdletBinding()]
    param([switch]$Force, [switch]$SkipNetworkProfileCheck)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do {
        $Windows.state.services.WinRM = @{ start = 'Automatic'; status = 'Running' }
        if (-not ($Windows.state.listeners.Values | Where-Object { $_.transport -eq 'HTTP' })) {
            $Windows.state.listeners['HTTP *'] = @{ address = '*'; transport = 'HTTP'; port = 5985; hostname = ''; thumbprint = '' }
        }
        if (-not $Windows.state.endpoints.ContainsKey('microsoft.powershell')) { $Windows.state.endpoints['microsoft.powershell'] = 'O:NSG:BAD:P(A;;GA;;;BA)' }
        foreach ($one in @($Windows.state.endpoints.Keys)) { $Windows.state.endpoints[$one] = $Windows.state.endpoints[$one].Replace('(D;;GA;;;NU)', '') }
        $Windows.state.registry['HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System']['LocalAccountTokenFilterPolicy'] = 1
        foreach ($one in @('WINRM-HTTP-In-TCP', 'WINRM-HTTP-In-TCP-NoScope')) { $Windows.state.rules[$one].Enabled = 'True' }
    }
}

function Disable-PSRemoting {
    [CmdletBinding()]
    param([switch]$Force)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do {
        $Windows.state.services.WinRM.status = 'Running'
        foreach ($one in @($Windows.state.endpoints.Keys)) {
            if ($Windows.state.endpoints[$one] -notmatch ';NU\)') { $Windows.state.endpoints[$one] = $Windows.state.endpoints[$one].Replace('D:P(', 'D:P(D;;GA;;;NU)(') }
        }
    }
}

function New-SelfSignedCertificate {
    [CmdletBinding()]
    param([string]$Subject, [string[]]$TextExtension, [string]$Type, [string]$CertStoreLocation, [datetime]$NotAfter, [string]$FriendlyName)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do {
        $thumbprint = 'AB{0:D4}' -f ($Windows.state.certificates.Count + 1)
        $Windows.state.certificates[$thumbprint] = @{ name = $FriendlyName; until = $NotAfter }
    }
}

# --- capabilities, policy, CIM, programs

function Get-WindowsCapability {
    [CmdletBinding()]
    param([switch]$Online, [string]$Name)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do {
        if ($Windows.faults['look']) { throw (New-SimError "Get-WindowsCapability failed. Error code = $($Windows.faults['look'])") }
        [pscustomobject]@{ Name = $Name; State = $Windows.state.capability }
    }
}

function Add-WindowsCapability {
    [CmdletBinding()]
    param([switch]$Online, [string]$Name)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do {
        if ($Windows.faults['install']) { throw (New-SimError "Add-WindowsCapability failed. Error code = $($Windows.faults['install'])") }
        if ($Windows.faults['restart']) {
            $Windows.state.capability = 'InstallPending'
            return [pscustomobject]@{ RestartNeeded = $true }
        }
        $Windows.state.capability = 'Installed'
        $Windows.state.services['sshd'] = @{ start = 'Manual'; status = 'Stopped' }
        Add-SimRule -Name 'OpenSSH-Server-In-TCP' -Ports '22' -Program '%SystemRoot%\system32\OpenSSH\sshd.exe'
        [pscustomobject]@{ RestartNeeded = $false }
    }
}

function Remove-WindowsCapability {
    [CmdletBinding()]
    param([switch]$Online, [string]$Name)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do {
        $Windows.state.capability = 'NotPresent'
        $Windows.state.services.Remove('sshd')
        $Windows.state.rules.Remove('OpenSSH-Server-In-TCP')
    }
}

function Get-ExecutionPolicy {
    [CmdletBinding()]
    param([string]$Scope)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do { $Windows.state.policy[$Scope] }
}

function Set-ExecutionPolicy {
    [CmdletBinding()]
    param([string]$Scope, [string]$ExecutionPolicy, [switch]$Force)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Change -Do {
        $Windows.state.policy[$Scope] = $ExecutionPolicy
        # The documented line starts with -ExecutionPolicy Bypass, which wins for the process.
        throw (New-SimError 'Windows PowerShell updated your execution policy successfully, but the setting is overridden by a policy defined at a more specific scope.' 'ExecutionPolicyOverride' 'PermissionDenied')
    }
}

function Get-CimInstance {
    [CmdletBinding()]
    param([string]$ClassName, [string]$Filter)
    Invoke-Sim $PSCmdlet $PSBoundParameters -Do {
        if ($ClassName -eq 'Win32_ComputerSystem') {
            [pscustomobject]@{ PartOfDomain = $Windows.domain; NumberOfLogicalProcessors = 16; TotalPhysicalMemory = 68719476736 }
        } elseif ($Windows.wmi.ContainsKey($ClassName)) {
            [pscustomobject]$Windows.wmi[$ClassName]
        }
    }
}

function netsh.exe {
    $global:LASTEXITCODE = 0
    $first, $count = $Windows.dynamic
    if ($Windows.language -eq 'German') { '', 'Protokoll tcp Dynamischer Portbereich', '---------------', "Startport        : $first", "Anzahl von Ports : $count", '' }
    elseif ($Windows.language -eq 'Korean') { '', '프로토콜 tcp 동적 포트 범위', '---------------', "시작 포트      : $first", "포트 수 : $count", '' }
    else { '', 'Protocol tcp Dynamic Port Range', '---------------', "Start Port      : $first", "Number of Ports : $count", '' }
}

function powercfg.exe {
    $global:LASTEXITCODE = 0
    $state = $Windows.state
    $words = $args
    $change = $words[0] -in '/setactive', '/change', '/hibernate', '/setacvalueindex'
    [void]$Windows.calls.Add("$(if ($change) { 'change' } else { 'read' }) powercfg.exe")
    if ($null -ne $Windows.fail -and -not $Windows.fail.ContainsKey('name') -and $Windows.calls.Count -eq $Windows.fail.at) {
        $global:LASTEXITCODE = 1
        if ($Windows.fail.when -eq 'before') { return 'Access is denied. (injected)' }
    }
    switch ($words[0]) {
        '/getactivescheme' { if ($Windows.language -eq 'Korean') { "전원 구성표 GUID: $($state.plan)  (균형 조정)" } else { "Power Scheme GUID: $($state.plan)  (Balanced)" } }
        '/list' { foreach ($plan in $state.plans.Keys) { "Power Scheme GUID: $plan  (x)" } }
        '/query' {
            '    Minimum Possible Setting: 0x00000000'
            "    Current AC Power Setting Index: 0x$('{0:x8}' -f $state.plans[$state.plan][$words[3]])"
            '    Current DC Power Setting Index: 0x00000258'
        }
        '/setactive' { $state.plan = $words[1] }
        '/change' {
            $name = @{ 'standby-timeout-ac' = 'STANDBYIDLE'; 'hibernate-timeout-ac' = 'HIBERNATEIDLE' }[$words[1]]
            $state.plans[$state.plan][$name] = [int]$words[2] * 60
        }
        '/setacvalueindex' { $state.plans[$words[1]][$words[3]] = [int]$words[4] }
        '/hibernate' {
            if ($Windows.faults['hibernate']) { $global:LASTEXITCODE = 1; return 'The system firmware does not support hibernation.' }
            $state.registry['HKLM:\SYSTEM\CurrentControlSet\Control\Power'].HibernateEnabled = [int]($words[1] -eq 'on')
        }
    }
}

function Read-Host {
    [CmdletBinding()]
    param([string]$Prompt)
    if (-not $Windows.answers) { throw 'Read and Prompt functionality is not available.' }
    $first, $Windows.answers = $Windows.answers
    return $first
}

# --- runs

function Invoke-Setup {
    # Runs a whole script, and returns what it printed, what it threw and its exit status. Under -AsFile the script's
    # preferences are global, as with `powershell -File`; at a prompt, cmdlets of script modules do not see them.
    param([string]$Script = 'worker', [hashtable]$With = @{}, [object[]]$Words = @(), [switch]$AsFile)
    Set-Alias -Name Get-HostFacts -Value Get-SimHostFacts -Scope Global
    $global:ErrorActionPreference = if ($AsFile) { 'Stop' } else { 'Continue' }
    $global:LASTEXITCODE = 0
    $Windows.calls.Clear()
    $Windows.exposed.Clear()
    $thrown = ''
    $text = [Text.StringBuilder]::new()
    $path = Join-Path $PSScriptRoot "../../scripts/${Script}_setup.ps1"
    $status = 0
    try {
        & $path @With @Words *>&1 | ForEach-Object { [void]$text.AppendLine([string]$_) }
        $status = $global:LASTEXITCODE
    } catch {
        $thrown = [string]$_
        $status = 1
    }
    $global:ErrorActionPreference = 'Continue'
    return [pscustomobject]@{ text = $text.ToString(); thrown = $thrown; status = $status; calls = @($Windows.calls); exposed = @($Windows.exposed); open = @(Get-SimOpen -Served) }
}

Export-ModuleMember -Function *
